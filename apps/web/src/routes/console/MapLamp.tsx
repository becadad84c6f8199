import type { LampState } from './picture.ts'

// Each state has a sign of its own, for who does not see the colour.
const signs: Record<LampState, string> = {
  ready: '',
  starting: 'M0 -9A9 9 0 0 1 0 9Z',
  draining: 'M0 -5V4M-4 1L0 5L4 1',
  frozen: 'M0 -6V6M-5 -3L5 3M-5 3L5 -3',
  unhealthy: 'M0 -6V1M0 5V5.5',
  ejected: 'M-4 -4L4 4M-4 4L4 -4',
  stopped: 'M-4 0H4',
}

/** An instance as a small lamp. */
export function MapLamp({ x, y, state }: { x: number; y: number; state: LampState }) {
  return (
    <g className="map-lamp" data-state={state} transform={`translate(${x} ${y})`}>
      <circle r="9.5" />
      {signs[state] !== '' && <path d={signs[state]} />}
    </g>
  )
}
