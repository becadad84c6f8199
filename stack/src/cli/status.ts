import type { SystemState } from '@halles/contracts/gen/http/gateway'
import type { Command } from './command.ts'
import { table } from './table.ts'

export const status: Command = {
  name: 'status',
  summary: 'Instances, queues, topics and breakers, as a gateway sees them.',
  words: [],
  options: {},
  help: 'Exits 1 when an instance is not ready.',
  async run(_input, { session, show }) {
    const { call, url } = await session()
    const state = await call<SystemState>({ method: 'GET', path: '/api/v1/system' })
    show({ json: state, text: describe(state, url) })
    return state.instances.every((instance) => instance.state === 'ready')
  },
}

function describe({ instances, queues, topics, breakers, deadLetters }: SystemState, url: string) {
  const shownQueues = queues.map((queue) => [
    queue.name,
    String(queue.waiting),
    String(queue.inFlight ?? ''),
  ])
  const groups = topics.flatMap((topic) =>
    topic.groups.map(({ name, lag }) => [topic.name, name, String(lag)]),
  )
  const unwell = breakers.filter((breaker) => breaker.state !== 'closed')
  return [
    url,
    '',
    table(
      ['SERVICE', 'INSTANCE', 'ADDRESS', 'STATE'],
      instances.map(({ service, id, address, state }) => [service, id, address, state]),
    ),
    '',
    `queues: ${table(['NAME', 'WAITING', 'IN FLIGHT'], shownQueues)}`,
    '',
    `topics: ${table(['NAME', 'GROUP', 'LAG'], groups)}`,
    '',
    `open breakers: ${table(
      ['SERVICE', 'ADDRESS', 'STATE'],
      unwell.map(({ service, address, state }) => [service, address, state]),
    )}`,
    `dead letters: ${deadLetters}`,
  ]
    .join('\n')
    .replaceAll(/^(queues|topics|open breakers): (?!none$)/gm, '$1:\n')
}
