import { Table } from '../../design/Table.tsx'
import { useConsoleText } from '../../text/console-text.ts'
import { usePartWords } from './part-words.ts'
import type { Part, Scene } from './picture.ts'

/** The same facts as in the picture, as tables. */
export function FactsTables({ scene }: { scene: Scene }) {
  const { map } = useConsoleText()
  const words = usePartWords()
  const nameOf = (id: string) => {
    const part = scene.parts.find((each) => each.id === id)
    return part ? words.nameOf(part) : id
  }
  return (
    <div className="stack">
      <Table
        caption={map.table}
        columns={[
          { label: map.part },
          { label: map.kind },
          { label: map.state },
          { label: map.instances },
          { label: map.requests, isNumeric: true },
          { label: map.failures, isNumeric: true },
          { label: map.slowest, isNumeric: true },
          { label: map.more },
        ]}
      >
        {scene.parts.map((part) => (
          <PartRow key={part.id} part={part} />
        ))}
      </Table>
      <Table
        caption={map.arrows}
        columns={[
          { label: map.from },
          { label: map.to },
          { label: map.kind },
          { label: map.traffic, isNumeric: true },
          { label: map.failures, isNumeric: true },
          { label: map.breaker },
        ]}
      >
        {scene.arrows.map(({ id, from, to, kind, perSecond, failuresPerSecond, breaker }) => (
          <tr key={id}>
            <th scope="row">{nameOf(from)}</th>
            <td>{nameOf(to)}</td>
            <td>{kind}</td>
            <td className="end numeric">{perSecond === undefined ? '' : map.rate(perSecond)}</td>
            <td className="end numeric">
              {failuresPerSecond === undefined ? '' : map.rate(failuresPerSecond)}
            </td>
            <td>{breaker && map.breakers[breaker]}</td>
          </tr>
        ))}
      </Table>
    </div>
  )
}

function PartRow({ part }: { part: Part }) {
  const { map } = useConsoleText()
  const words = usePartWords()
  const { lamps, perSecond, failuresPerSecond, p95Ms, wellness } = part
  const state = wellness === 'unknown' ? '–' : (words.trouble(part) ?? map.states.ready)
  const more = moreOf(part, map)
  return (
    <tr>
      <th scope="row">{words.nameOf(part)}</th>
      <td>{map.kinds[part.kind]}</td>
      <td>{state}</td>
      <td>{lamps.map((lamp) => `${lamp.id}: ${map.states[lamp.state]}`).join(', ')}</td>
      <td className="end numeric">{perSecond === undefined ? '' : map.rate(perSecond)}</td>
      <td className="end numeric">
        {failuresPerSecond === undefined ? '' : map.rate(failuresPerSecond)}
      </td>
      <td className="end numeric">{p95Ms === undefined ? '' : map.time(p95Ms)}</td>
      <td>{more.join(', ')}</td>
    </tr>
  )
}

function moreOf(
  { pool, queue, lags, outbox, cache }: Part,
  map: ReturnType<typeof useConsoleText>['map'],
): string[] {
  return [
    ...(pool ? [map.poolBusy(pool.busy, pool.size)] : []),
    ...(queue ? [map.behind(queue.waiting)] : []),
    ...(lags ?? []).map(({ name, lag }) => `${name}: ${map.behind(lag)}`),
    ...(outbox ? [map.outboxWaits(outbox.waiting, outbox.oldestSeconds)] : []),
    ...(typeof cache?.hitRatio === 'number'
      ? [`${map.cache}: ${map.percent(cache.hitRatio)}`]
      : []),
  ]
}
