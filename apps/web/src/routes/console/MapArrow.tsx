import { memo } from 'react'
import { useConsoleText } from '../../text/console-text.ts'
import type { Arrow, Breaker } from './arrows.ts'
import type { Route } from './map-routes.ts'

/** How much goes along: what is ten times as much is drawn one step thicker and faster. */
export function flowOf(perSecond = 0): 0 | 1 | 2 | 3 | 4 {
  if (perSecond < 0.05) return 0
  if (perSecond < 1) return 1
  if (perSecond < 10) return 2
  return perSecond < 100 ? 3 : 4
}

const turns = { up: 0, right: 90, down: 180, left: 270 } as const

type ArrowProps = { arrow: Arrow; route: Route; isFaded: boolean }

/** An arrow with its traffic: thickness, moving dashes and a number; failures have dots of their own. */
export const MapArrow = memo(function MapArrow({ arrow, route, isFaded }: ArrowProps) {
  const { kind, perSecond, failuresPerSecond = 0, breaker } = arrow
  const { path, head } = route
  const isFailing = failuresPerSecond > 0 || breaker === 'open'
  return (
    <g
      className="map-arrow"
      data-kind={kind}
      data-flow={flowOf(perSecond)}
      data-failing={isFailing || undefined}
      data-faded={isFaded || undefined}
    >
      <path className="map-under" d={path} />
      <path className="map-line" d={path} />
      {flowOf(perSecond) > 0 && <path className="map-dash" d={path} />}
      {isFailing && <path className="map-fail" d={path} />}
      <path
        className="map-head"
        d="M0 -1L8 13H-8Z"
        transform={`translate(${head.x} ${head.y}) rotate(${turns[head.towards]})`}
      />
      {breaker && route.breaker && <Switch state={breaker} {...route.breaker} />}
    </g>
  )
}, isSame)

/** The number of an arrow; drawn after all arrows, so that none runs through it. */
export const MapArrowLabel = memo(function MapArrowLabel({ arrow, route, isFaded }: ArrowProps) {
  const { kind, failuresPerSecond = 0 } = arrow
  return (
    <g
      className="map-arrow map-label"
      data-kind={kind}
      data-failing={failuresPerSecond > 0 || undefined}
      data-faded={isFaded || undefined}
    >
      <ArrowLabel {...{ arrow, route }} />
    </g>
  )
}, isSame)

/** Each picture brings new objects; only what looks different is drawn anew. */
function isSame(a: ArrowProps, b: ArrowProps): boolean {
  return a.route === b.route && a.isFaded === b.isFaded && looks(a.arrow) === looks(b.arrow)
}

const looks = ({ perSecond = 0, failuresPerSecond = 0, breaker }: Arrow) =>
  `${perSecond.toFixed(2)} ${failuresPerSecond.toFixed(2)} ${breaker}`

function ArrowLabel({ arrow, route }: { arrow: Arrow; route: Route }) {
  const text = useConsoleText().map
  const { perSecond, failuresPerSecond = 0, kind, isWebhook } = arrow
  if (!route.label) return null
  const { x, y, anchor } = route.label
  const isInLane = kind === 'queue' || kind === 'topic'
  // Inside a lane the text is centred on it.
  const line = { x, y: isInLane ? y + 7 : y, textAnchor: anchor }
  const isMoving = flowOf(perSecond) > 0
  const rate = isMoving ? text.rate(perSecond ?? 0) : ''
  if (isWebhook) {
    return (
      <text className="map-small" {...line}>
        {text.webhooks}
      </text>
    )
  }
  const failures = failuresPerSecond > 0 ? `✕ ${text.rate(failuresPerSecond)}` : ''
  if (rate === '' && failures === '') return null
  // Only between the gateways and the services is there room for a second line.
  const isBelow =
    anchor === 'start' && route.breaker !== undefined && rate !== '' && failures !== ''
  return (
    <text className="map-rate" {...line}>
      {rate}
      {failures !== '' && (
        <tspan
          className="map-rate-bad"
          {...(isBelow ? { x, dy: 28 } : { dx: rate === '' ? 0 : 10 })}
        >
          {failures}
        </tspan>
      )}
    </text>
  )
}

/** A breaker as a switch: closed it conducts, open its lever is up, half-open it is half up. */
function Switch({ state, x, y }: { state: Breaker; x: number; y: number }) {
  const lever = { closed: 'M0 9V-9', 'half-open': 'M0 9L9 -6', open: 'M0 9L15 0' }[state]
  return (
    <g className="map-switch" data-state={state} transform={`translate(${x} ${y})`}>
      <rect x="-6" y="-13" width="12" height="26" />
      <path d={lever} />
      <circle cy="9" r="3.5" />
      <circle cy="-9" r="3.5" />
    </g>
  )
}
