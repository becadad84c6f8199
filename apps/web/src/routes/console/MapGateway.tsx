import { useConsoleText } from '../../text/console-text.ts'
import { flowOf } from './MapArrow.tsx'
import { MapLamp } from './MapLamp.tsx'
import { Frame } from './MapPart.tsx'
import type { Place } from './map-layout.ts'
import { usePartWords } from './part-words.ts'
import type { Lamp, Part } from './picture.ts'

const titleWidth = 210
const cacheWidth = 330
const widestCell = 190
// More than these are drawn as lamps alone.
const shownCells = 8

/** The gateways in one frame, each with what the balancer gives it, and the cache of all. */
export function MapGateway({
  part,
  place,
  balancer,
}: {
  part: Part
  place: Place
  balancer: Place | undefined
}) {
  const words = usePartWords()
  const { x, y, width } = place
  const lamps = part.lamps.slice(0, shownCells)
  const room = width - titleWidth - cacheWidth
  const step = Math.min(widestCell, room / Math.max(1, lamps.length))
  const middle = balancer ? balancer.x + balancer.width / 2 : x + width / 2
  const first = Math.max(x + titleWidth, middle - (step * lamps.length) / 2)
  return (
    <>
      <Frame {...{ part, place }} radius={16} />
      <text className="map-name map-name-large" x={x + 22} y={y + 42}>
        {part.name}
      </text>
      <text className="map-line2" x={x + 22} y={y + 70}>
        {words.brief(part)}
      </text>
      {lamps.map((lamp, index) => {
        const cell = { x: first + step * index + 6, y: y + 18, width: step - 12, height: 58 }
        const from = balancer ? balancer.y + balancer.height : y
        return <Cell key={lamp.id} lamp={lamp} place={cell} fromY={from} />
      })}
      <Cache part={part} x={x + width - cacheWidth + 20} y={y} />
    </>
  )
}

function Cell({ lamp, place, fromY }: { lamp: Lamp; place: Place; fromY: number }) {
  const { map } = useConsoleText()
  const { x, y, width, height } = place
  const middle = x + width / 2
  const path = `M${middle} ${fromY}V${y - 8}`
  const isReady = lamp.state === 'ready'
  return (
    <>
      <g className="map-arrow" data-kind="http" data-flow={isReady ? flowOf(lamp.perSecond) : 0}>
        <path className="map-line" d={path} />
        {isReady && flowOf(lamp.perSecond) > 0 && <path className="map-dash" d={path} />}
        <path
          className="map-head"
          d="M0 -1L8 13H-8Z"
          transform={`translate(${middle} ${y}) rotate(180)`}
        />
      </g>
      <rect className="map-cell" data-state={lamp.state} {...{ x, y, width, height }} rx="10" />
      <MapLamp x={x + 20} y={y + height / 2} state={lamp.state} />
      <text className="map-cell-text" x={x + 38} y={y + 25}>
        {lamp.id.replace(/^gateway-/, 'n° ')}
      </text>
      <text className="map-small" x={x + 38} y={y + 48}>
        {isReady ? map.rate(lamp.perSecond ?? 0) : map.states[lamp.state]}
      </text>
    </>
  )
}

function Cache({ part, x, y }: { part: Part; x: number; y: number }) {
  const { map } = useConsoleText()
  const ratio = part.cache?.hitRatio ?? null
  const width = 270
  return (
    <g className="map-cache">
      <text className="map-line2" x={x} y={y + 36}>
        {map.cache}
      </text>
      <text className="map-cache-ratio" x={x + width} y={y + 36} textAnchor="end">
        {ratio === null ? '–' : map.percent(ratio)}
      </text>
      <rect className="map-gauge" x={x} y={y + 50} width={width} height="18" rx="9" />
      {ratio !== null && (
        <rect
          className="map-gauge-level"
          x={x}
          y={y + 50}
          width={width * ratio}
          height="18"
          rx="9"
        />
      )}
    </g>
  )
}
