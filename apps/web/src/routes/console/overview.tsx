import { useEffect } from 'react'
import { type LoaderFunctionArgs, useLoaderData, useRevalidator } from 'react-router'
import { Badge, type Tone } from '../../design/Badge.tsx'
import { Table } from '../../design/Table.tsx'
import { pageOf } from '../../server/page.server.ts'
import { requireStaff } from '../../server/staff.server.ts'
import { useConsoleText } from '../../text/console-text.ts'

export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  await requireStaff(page, ['system:read'])
  const { data } = await page.call('getSystem', {})
  return { system: data, at: new Date().toISOString().slice(11, 19) }
}

// A glance's length; the living picture that replaces this page is fed by events.
const everyMs = 5_000

const tones: Record<string, Tone> = {
  ready: 'good',
  starting: 'warn',
  draining: 'warn',
  unreachable: 'bad',
}

export default function Overview() {
  const { system, at } = useLoaderData<typeof loader>()
  const text = useConsoleText()
  const { revalidate } = useRevalidator()
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && revalidate(), everyMs)
    return () => clearInterval(timer)
  }, [revalidate])
  const { instances, queues, topics, cache } = system
  const ready = instances.filter(({ state }) => state === 'ready').length
  const lag = topics.flatMap(({ groups }) => groups).reduce((sum, group) => sum + group.lag, 0)
  const asked = cache.hits + cache.misses
  const figures = [
    { label: text.instances, value: `${ready} / ${instances.length}` },
    { label: text.waiting, value: String(queues.reduce((sum, { waiting }) => sum + waiting, 0)) },
    { label: text.lag, value: String(lag) },
    { label: text.deadLetters, value: String(system.deadLetters) },
    { label: text.cache, value: asked === 0 ? '–' : `${Math.round((100 * cache.hits) / asked)} %` },
  ]
  return (
    <div className="stack">
      <h1>{text.overview}</h1>
      <dl className="console-figures">
        {figures.map(({ label, value }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <h2>{text.parts}</h2>
      <Table
        caption={text.parts}
        columns={[
          { label: text.part },
          { label: text.instance },
          { label: text.address },
          { label: text.state },
        ]}
      >
        {instances.map(({ id, service, address, state }) => (
          <tr key={`${id} ${address}`}>
            <th scope="row">{service}</th>
            <td>{id}</td>
            <td className="numeric">{address}</td>
            <td>
              <Badge tone={tones[state] ?? 'warn'}>{text.states[state]}</Badge>
            </td>
          </tr>
        ))}
      </Table>
      <p className="muted small">{text.asOf(at)}</p>
    </div>
  )
}
