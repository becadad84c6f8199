import { Link } from 'react-router'
import { useConsoleText } from '../../text/console-text.ts'
import type { Arrow } from './arrows.ts'
import { flowOf } from './MapArrow.tsx'
import { PartButton } from './MapPart.tsx'
import type { Place } from './map-layout.ts'
import type { Route } from './map-routes.ts'
import type { Part } from './picture.ts'

type LaneProps = {
  part: Part
  place: Place
  isChosen: boolean
  onChoose: (partId: string) => void
  arrows: readonly Arrow[]
  routes: ReadonlyMap<string, Route>
}

/** A queue or topic: a pipe, filled before the consumer who is behind. */
export function MapLane({ part, place, isChosen, onChoose, arrows, routes }: LaneProps) {
  const text = useConsoleText()
  const { x, y, width, height } = place
  const piles = arrows
    .filter(({ from }) => from === part.id)
    .flatMap(({ id, to, perSecond }) => {
      const pile = routes.get(id)?.pile
      const count = behind(part, to)
      if (!pile || count === 0) return []
      // Beside the arrow's number, where it has one, there is little room.
      const isMoving = flowOf(perSecond) > 0
      const words = isMoving ? `+${text.map.number(count)}` : text.map.behind(count)
      return [{ id, count, words, gap: isMoving ? 76 : 14, ...pile }]
    })
  return (
    <PartButton {...{ part, isChosen, onChoose }} place={{ ...place, x: 0, width: x + width }}>
      <text className="map-lane-name" x={x - 10} y={y + height / 2 + 6} textAnchor="end">
        {part.name}
      </text>
      <rect className="map-pipe" {...{ x, y, width, height }} rx={height / 2} />
      {part.wellness === 'down' && (
        <rect className="map-hatched" {...{ x, y, width, height }} rx={height / 2} />
      )}
      {piles.map(({ id, count, words, gap, from, to }) => {
        const length = longestPile * fillOf(count)
        const left = to < from ? from - length : from
        return (
          <g key={id} className="map-pile">
            <rect x={left} y={y + 2} width={length} height={height - 4} fill="url(#pile)" />
            <text x={from - gap} y={y + height / 2 + 7} textAnchor="end">
              {words}
            </text>
          </g>
        )
      })}
    </PartButton>
  )
}

function behind({ queue, lags = [] }: Part, consumer: string): number {
  if (queue) return queue.waiting
  return lags.find(({ name }) => name === consumer)?.lag ?? 0
}

// Within the column of the consumer, so that it hides nobody else's number.
const longestPile = 140

/** A single one is seen, and ten thousand fill the column. */
const fillOf = (count: number) => Math.min(1, Math.max(0.2, Math.log10(1 + count) / 4))

/** What could not be delivered; it leads to the page where that is decided. */
export function DeadLetterLane({ place, count }: { place: Place; count: number | null }) {
  const { map } = useConsoleText()
  const { x, y, width, height } = place
  return (
    <Link to="/console/dead-letters" className="map-dead" data-some={(count ?? 0) > 0 || undefined}>
      <text className="map-lane-name" x={x - 10} y={y + height / 2 + 6} textAnchor="end">
        {map.deadLetters}
      </text>
      <rect className="map-pipe" {...{ x, y, width, height }} rx={height / 2} />
      <text className="map-dead-count" x={x + 24} y={y + height / 2 + 7}>
        {map.deadCount(count)}
      </text>
    </Link>
  )
}
