import { useConsoleText } from '../../text/console-text.ts'
import { MapLamp } from './MapLamp.tsx'
import type { LampState } from './picture.ts'

const states: readonly LampState[] = [
  'ready',
  'starting',
  'draining',
  'frozen',
  'unhealthy',
  'ejected',
  'stopped',
]
const kinds = ['http', 'grpc', 'queue', 'topic'] as const
const step = 24

/** What the signs mean, in the corner that no part takes. */
export function MapLegend({ x, y }: { x: number; y: number }) {
  const { map } = useConsoleText()
  const textX = 52
  const rows = [
    ...kinds.map((kind) => ({
      text: map.legends[kind],
      sign: (
        <g className="map-arrow" data-kind={kind} data-flow="2">
          <path className="map-line" d="M0 0H42" />
          <path className="map-dash" d="M0 0H42" />
        </g>
      ),
    })),
    {
      text: map.legends.failing,
      sign: (
        <g className="map-arrow" data-kind="http" data-flow="1" data-failing>
          <path className="map-line" d="M0 0H42" />
          <path className="map-fail" d="M2 0H42" />
        </g>
      ),
    },
    {
      text: map.legends.open,
      sign: (
        <g
          className="map-arrow map-switch"
          data-state="open"
          transform="translate(14 0) scale(0.9)"
        >
          <path d="M0 9L15 0" />
          <circle cy="9" r="3.5" />
          <circle cy="-9" r="3.5" />
        </g>
      ),
    },
    ...states.map((state) => ({
      text: map.states[state],
      sign: <MapLamp x={16} y={0} state={state} />,
    })),
  ]
  return (
    <g className="map-legend">
      {rows.map(({ text, sign }, index) => (
        <g key={text} transform={`translate(${x} ${y + step * index})`}>
          {sign}
          <text x={textX} y="7">
            {text}
          </text>
        </g>
      ))}
    </g>
  )
}
