import type { ReactNode } from 'react'
import { useConsoleText } from '../../text/console-text.ts'
import { MapGateway } from './MapGateway.tsx'
import { MapLamp } from './MapLamp.tsx'
import type { Place } from './map-layout.ts'
import { usePartWords } from './part-words.ts'
import type { Part } from './picture.ts'

type Chosen = { part: Part; isChosen: boolean; onChoose: (partId: string) => void }

/** What can be clicked, or chosen by keyboard, to see more of it. `place` is where. */
export function PartButton({
  part,
  place,
  isChosen,
  onChoose,
  children,
}: Chosen & { place: Place; children: ReactNode }) {
  const { summary } = usePartWords()
  const { id, kind, wellness } = part
  const { x, y, width, height } = place
  const choose = () => onChoose(id)
  return (
    <g
      className="map-part"
      data-part={id}
      data-kind={kind}
      data-wellness={wellness}
      data-chosen={isChosen || undefined}
    >
      {children}
      {/* biome-ignore lint/a11y/useSemanticElements: an SVG has no buttons of its own. */}
      <rect
        className="map-hit"
        {...{ x, y, width, height }}
        role="button"
        tabIndex={0}
        aria-label={summary(part)}
        aria-pressed={isChosen}
        onClick={choose}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' && event.key !== ' ') return
          event.preventDefault()
          choose()
        }}
      />
    </g>
  )
}

/** A part of the map, in the form of its kind. */
export function MapPart({
  part,
  place,
  isChosen,
  onChoose,
  balancer,
}: Chosen & { place: Place; balancer: Place | undefined }) {
  return (
    <PartButton {...{ part, place, isChosen, onChoose }}>
      <Shape {...{ part, place, balancer }} />
    </PartButton>
  )
}

type ShapeProps = { part: Part; place: Place }

function Shape({ part, place, balancer }: ShapeProps & { balancer: Place | undefined }) {
  if (part.kind === 'gateway') return <MapGateway {...{ part, place, balancer }} />
  if (part.kind === 'database') return <Cylinder {...{ part, place }} />
  if (part.kind === 'service') return <Box {...{ part, place }} />
  return <Plate {...{ part, place }} />
}

/** The outline of a box; hatched when it is down. */
export function Frame({ part, place, radius = 12 }: ShapeProps & { radius?: number }) {
  const { x, y, width, height } = place
  return (
    <>
      <rect className="map-box" {...{ x, y, width, height }} rx={radius} />
      {part.wellness === 'down' && (
        <rect className="map-hatched" {...{ x, y, width, height }} rx={radius} />
      )}
    </>
  )
}

const shownLamps = 5

function Box({ part, place }: ShapeProps) {
  const words = usePartWords()
  const { x, y } = place
  const { lamps, outbox } = part
  const more = lamps.length - shownLamps
  return (
    <>
      <Frame {...{ part, place }} />
      <text className="map-name" x={x + 12} y={y + 32}>
        {part.name}
      </text>
      <text className="map-line2" x={x + 12} y={y + 58}>
        {words.brief(part)}
      </text>
      {lamps.slice(0, shownLamps).map(({ id, state }, index) => (
        <MapLamp key={id} x={x + 23 + 24 * index} y={y + 79} state={state} />
      ))}
      {more > 0 && (
        <text className="map-small" x={x + 16 + 24 * shownLamps} y={y + 86}>
          +{more}
        </text>
      )}
      {outbox && outbox.waiting > 0 && <Outbox x={x + place.width - 10} y={y + 86} {...outbox} />}
    </>
  )
}

/** Messages that were not taken away yet. */
function Outbox({ x, y, oldestSeconds }: { x: number; y: number; oldestSeconds: number }) {
  const { map } = useConsoleText()
  return (
    <g className="map-outbox">
      <text x={x} y={y} textAnchor="end">
        {map.seconds(oldestSeconds)}
      </text>
      <path d={`M${x - 74} ${y - 15}h22v16h-22zl11 9l11 -9`} />
    </g>
  )
}

function Cylinder({ part, place }: ShapeProps) {
  const { x, y, width, height } = place
  const { pool } = part
  const ry = 8
  const right = x + width
  const bottom = y + height - ry
  const side = `M${x} ${y + ry}V${bottom}a${width / 2} ${ry} 0 0 0 ${width} 0V${y + ry}`
  const fill = pool && pool.size > 0 ? Math.min(1, pool.busy / pool.size) : 0
  const level = bottom - (bottom - y - ry) * fill
  const rim = `a${width / 2} ${ry} 0 0 0 ${width} 0`
  return (
    <>
      <path className="map-box" d={`${side}a${width / 2} ${ry} 0 0 0 ${-width} 0`} />
      {fill > 0 && (
        <path
          className="map-level"
          d={`M${x} ${level}V${bottom}${rim}V${level}a${width / 2} ${ry} 0 0 1 ${-width} 0`}
        />
      )}
      {part.wellness === 'down' && (
        <path className="map-hatched" d={`${side}a${width / 2} ${ry} 0 0 0 ${-width} 0`} />
      )}
      <path className="map-rim" d={`M${x} ${y + ry}${rim}`} />
      <text
        className="map-database-name"
        x={(x + right) / 2}
        y={y + height / 2 + 14}
        textAnchor="middle"
      >
        {part.name}
      </text>
      {pool && pool.waiting > 0 && (
        <text
          className="map-small map-bad"
          x={(x + right) / 2}
          y={y + height + 20}
          textAnchor="middle"
        >
          +{pool.waiting}
        </text>
      )}
    </>
  )
}

/** Everything that is no service of ours. */
function Plate({ part, place }: ShapeProps) {
  const words = usePartWords()
  const { x, y, width, height } = place
  const isWide = part.kind === 'balancer'
  const lamp = part.lamps[0]
  const line = words.brief(part)
  const hasTwo = !isWide && line !== ''
  return (
    <>
      <Frame {...{ part, place }} radius={isWide ? 17 : 14} />
      <text
        className="map-plate-name"
        x={x + width / 2}
        y={y + height / 2 + (hasTwo ? -4 : 8)}
        textAnchor="middle"
      >
        {words.nameOf(part)}
        {isWide && line !== '' && ` · ${line}`}
      </text>
      {hasTwo && (
        <text className="map-small" x={x + width / 2} y={y + height / 2 + 19} textAnchor="middle">
          {line}
        </text>
      )}
      {lamp && lamp.state !== 'ready' && (
        <MapLamp x={x + 22} y={y + height / 2} state={lamp.state} />
      )}
    </>
  )
}
