import { Link } from 'react-router'
import { useConsoleText } from '../../text/console-text.ts'
import { MapLamp } from './MapLamp.tsx'
import { usePartWords } from './part-words.ts'
import type { Part, PartKind, Scene } from './picture.ts'

const order: readonly PartKind[] = [
  'client',
  'provider',
  'balancer',
  'gateway',
  'cache',
  'app',
  'service',
  'queue',
  'topic',
  'database',
]
const shownLamps = 8

/** The picture for a narrow screen: its parts one below the other. */
export function PartsList({
  scene,
  chosen,
  onChoose,
}: {
  scene: Scene
  chosen: string | null
  onChoose: (partId: string) => void
}) {
  const { map } = useConsoleText()
  const parts = scene.parts.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
  return (
    <ul className="parts-list">
      {parts.map((part) => (
        <li key={part.id}>
          <PartCard part={part} isChosen={part.id === chosen} onChoose={onChoose} />
        </li>
      ))}
      <li>
        <Link className="part-card" to="/console/dead-letters">
          <strong>{map.deadLetters}</strong>
          <span>{map.deadCount(scene.deadLetters)}</span>
        </Link>
      </li>
    </ul>
  )
}

function PartCard({
  part,
  isChosen,
  onChoose,
}: {
  part: Part
  isChosen: boolean
  onChoose: (partId: string) => void
}) {
  const { map } = useConsoleText()
  const words = usePartWords()
  const { id, kind, lamps, wellness, perSecond, pool, queue, lags } = part
  const lag = lags?.reduce((sum, each) => sum + each.lag, 0)
  const facts = [
    words.trouble(part) ?? (lamps.length > 0 ? map.states.ready : ''),
    perSecond === undefined ? '' : map.rate(perSecond),
    pool ? `${pool.busy} / ${pool.size}` : '',
    queue ? map.behind(queue.waiting) : '',
    lag === undefined ? '' : map.behind(lag),
  ]
  return (
    <button
      type="button"
      className="part-card"
      data-part={id}
      data-wellness={wellness}
      aria-pressed={isChosen}
      onClick={() => onChoose(id)}
    >
      <span className="row">
        <strong>{words.nameOf(part)}</strong>
        <span className="muted small">{map.kinds[kind]}</span>
      </span>
      <span className="row">
        {lamps.length > 0 && (
          <svg
            className="map part-lamps"
            viewBox={`0 0 ${24 * Math.min(lamps.length, shownLamps)} 24`}
            width={24 * Math.min(lamps.length, shownLamps)}
            height="24"
            aria-hidden="true"
          >
            {lamps.slice(0, shownLamps).map((lamp, index) => (
              <MapLamp key={lamp.id} x={12 + 24 * index} y={12} state={lamp.state} />
            ))}
          </svg>
        )}
        <span className="numeric">{facts.filter((fact) => fact !== '').join(' · ')}</span>
      </span>
    </button>
  )
}
