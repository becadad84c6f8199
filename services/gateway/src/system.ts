import type { SystemState } from '@halles/contracts/gen/http/gateway'
import type { Messaging } from '@halles/kit/messaging'
import { request } from 'undici'
import type { CacheFigures } from './cache-figures.ts'
import type { Upstream } from './upstream.ts'

type InstanceState = SystemState['instances'][number]

// A part that does not say within this how it is, is not reachable for shoppers either.
const probeLimitMs = 1_000

/** What the operator sees: every instance asked for its state, and what the broker holds. */
export async function describeSystem(deps: {
  self: InstanceState
  otherGateways(): Promise<InstanceState[]>
  upstreams: ReadonlyMap<string, Upstream>
  messaging: Messaging
  cacheFigures: CacheFigures
}): Promise<SystemState> {
  const upstreams = [...deps.upstreams.values()]
  const known = upstreams.flatMap(({ service, instances }) =>
    instances().map((instance) => ({ service, ...instance })),
  )
  const probes = known.map(async ({ service, address, breaker }) => ({
    ...(await probe(service, address)),
    breaker,
  }))
  const [gateways, instances, stats] = await Promise.all([
    deps.otherGateways(),
    Promise.all(probes),
    deps.messaging.stats(),
  ])
  const groups = Map.groupBy(stats.topics, ({ topic }) => topic)
  return {
    instances: [deps.self, ...gateways, ...instances],
    queues: stats.queues.map(({ queue, depth, inFlight }) => ({
      name: queue,
      waiting: depth,
      ...(inFlight !== undefined && { inFlight }),
    })),
    topics: [...groups].map(([name, each]) => ({
      name,
      groups: each.map(({ group, lag }) => ({ name: group, lag })),
    })),
    deadLetters: stats.deadLetters,
    breakers: known.map(({ service, address, breaker }) => ({ service, address, state: breaker })),
    cache: deps.cacheFigures(),
  }
}

async function probe(service: string, address: string): Promise<InstanceState> {
  const unreachable: InstanceState = { service, id: address, address, state: 'unreachable' }
  try {
    const { body } = await request(`${address}/readyz`, {
      signal: AbortSignal.timeout(probeLimitMs),
    })
    const { id, pid, state } = (await body.json()) as { id: string; pid: number; state: string }
    const known = { ready: 'ready', starting: 'starting', stopping: 'draining' } as const
    return { service, id, address, pid, state: known[state as keyof typeof known] ?? 'unreachable' }
  } catch (error) {
    // Not to answer is an answer here, whatever the reason.
    if (error instanceof Error) return unreachable
    throw error
  }
}
