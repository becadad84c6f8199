import { architecture } from '@halles/contracts/gen/architecture'
import type { StackProcess, SystemPicture } from '@halles/contracts/gen/http/gateway'
import type { MessagingStats } from '@halles/kit/messaging'
import { round } from './rates.ts'
import type { InstanceRecord } from './records.ts'

type Arrow = SystemPicture['arrows'][number]
type Traffic = Pick<Arrow, 'perSecond' | 'failuresPerSecond'>

/** Draws what was seen in one round. */
export function toPicture(seen: {
  atMs: number
  toldBy: string
  records: readonly InstanceRecord[]
  /** Undefined while the broker does not tell. */
  messages: MessagingStats | undefined
  /** Undefined where no local stack is. */
  processes: readonly StackProcess[] | undefined
}): SystemPicture {
  const { atMs, toldBy, records, messages, processes } = seen
  return {
    at: new Date(atMs).toISOString(),
    toldBy,
    parts: toParts(records),
    arrows: toArrows(records),
    ...toMessages(messages),
    outboxes: toOutboxes(records),
    databases: toDatabases(records),
    cache: toCache(records),
    ...(processes && { processes: [...processes] }),
  }
}

function toParts(records: readonly InstanceRecord[]): SystemPicture['parts'] {
  const groups = Map.groupBy([...records].sort(byName), ({ service }) => service)
  return [...groups].map(([service, instances]) => ({
    service,
    instances: instances.map(({ id, address, state, report, rates }) => ({
      ...{ id, address, state },
      ...(report && { pid: report.pid, startedAt: report.startedAt }),
      figures: rates?.figures ?? {},
    })),
  }))
}

const names = new Intl.Collator('en', { numeric: true })

/** Always in the same order, `carts-2` before `carts-10`. */
function byName(a: InstanceRecord, b: InstanceRecord): number {
  return names.compare(a.service, b.service) || names.compare(a.id, b.id)
}

/** Every arrow of the contracts, with what the processes say that went along it. */
function toArrows(records: readonly InstanceRecord[]): Arrow[] {
  const arrows = new Map<string, Arrow>()
  const arrowOf = (from: string, to: string, kind: Arrow['kind']): Arrow => {
    const key = `${from} ${to} ${kind}`
    const known = arrows.get(key)
    if (known) return known
    const arrow: Arrow = { from, to, kind, perSecond: 0, failuresPerSecond: 0 }
    arrows.set(key, arrow)
    return arrow
  }
  const add = (arrow: Arrow, { perSecond, failuresPerSecond }: Traffic) => {
    arrow.perSecond = round(arrow.perSecond + perSecond)
    arrow.failuresPerSecond = round(arrow.failuresPerSecond + failuresPerSecond)
  }
  for (const { from, to, kind } of architecture.edges) {
    if (kind !== 'sql' && kind !== 'https') arrowOf(from, to, kind)
  }
  const queueNames = new Set<string>(
    architecture.nodes.flatMap(({ kind, name }) => (kind === 'queue' ? name : [])),
  )
  const idOf = (name: string, kind: 'queue' | 'topic') => `${kind}:${name}`
  for (const { service, report, rates } of records) {
    if (!rates) continue
    if (service === 'gateway') {
      const { requestsPerSecond: perSecond = 0, errorsPerSecond = 0 } = rates.figures
      add(arrowOf('client', service, 'http'), { perSecond, failuresPerSecond: errorsPerSecond })
    }
    for (const flow of rates.calls) add(arrowOf(service, flow.name, toCallKind(flow.kind)), flow)
    for (const { service: to, kind, breaker } of report?.upstreams ?? []) {
      const arrow = arrowOf(service, to, kind)
      arrow.breaker = worse(arrow.breaker, breaker)
    }
    for (const flow of rates.sent) {
      const kind = flow.kind === 'queue' ? 'queue' : 'topic'
      add(arrowOf(service, idOf(flow.name, kind), kind), flow)
    }
    for (const flow of rates.handled) {
      const kind = queueNames.has(flow.name) ? 'queue' : 'topic'
      add(arrowOf(idOf(flow.name, kind), service, kind), flow)
    }
  }
  return [...arrows.values()]
}

const toCallKind = (kind: string | undefined) => (kind === 'grpc' ? 'grpc' : 'http')

function worse(a: Arrow['breaker'] = 'closed', b: NonNullable<Arrow['breaker']>) {
  const order = ['closed', 'half-open', 'open'] as const
  return order.indexOf(a) > order.indexOf(b) ? a : b
}

function toMessages(
  stats: MessagingStats | undefined,
): Pick<SystemPicture, 'queues' | 'topics' | 'deadLetters'> {
  const groups = Map.groupBy(stats?.topics ?? [], ({ topic }) => topic)
  const queues = [...(stats?.queues ?? [])]
  // A broker may not tell of one that is empty.
  for (const { kind, name } of stats ? architecture.nodes : []) {
    const isTold = kind !== 'queue' || queues.some(({ queue }) => queue === name)
    if (!isTold) queues.push({ queue: name, depth: 0 })
  }
  return {
    queues: queues.map(({ queue, depth, inFlight, oldestAgeSeconds }) => ({
      name: queue,
      waiting: depth,
      ...(inFlight !== undefined && { inFlight }),
      ...(oldestAgeSeconds !== undefined && { oldestSeconds: round(oldestAgeSeconds) }),
    })),
    topics: [...groups].map(([name, each]) => ({
      name,
      groups: each.map(({ group, lag }) => ({ name: group, lag })),
    })),
    deadLetters: stats?.deadLetters ?? null,
  }
}

/** Replicas of a service share its outbox, so that the fullest account of it is that of all. */
function toOutboxes(records: readonly InstanceRecord[]): SystemPicture['outboxes'] {
  const outboxes = new Map<string, SystemPicture['outboxes'][number]>()
  for (const { service, report, rates } of records) {
    if (!rates || !report?.outbox) continue
    const { waiting, oldestSeconds } = report.outbox
    const known = outboxes.get(service)
    if (known && known.waiting > waiting) continue
    outboxes.set(service, { service, waiting, oldestSeconds: round(oldestSeconds) })
  }
  return [...outboxes.values()]
}

function toDatabases(records: readonly InstanceRecord[]): SystemPicture['databases'] {
  const databases = new Map<string, SystemPicture['databases'][number]>()
  for (const { service, report, rates } of records) {
    if (!rates) continue
    for (const { name, size, busy, waiting } of report?.databases ?? []) {
      const sum = databases.get(name) ?? { name, service, size: 0, busy: 0, waiting: 0 }
      sum.size += size
      sum.busy += busy
      sum.waiting += waiting
      databases.set(name, sum)
    }
  }
  return [...databases.values()]
}

function toCache(records: readonly InstanceRecord[]): SystemPicture['cache'] {
  const gateways = records.filter(({ service, rates }) => service === 'gateway' && rates)
  const sum = (pick: (record: InstanceRecord) => number | undefined) =>
    round(gateways.reduce((total, record) => total + (pick(record) ?? 0), 0))
  const hits = sum(({ rates }) => rates?.told.cache?.hits)
  const sharedHits = sum(({ rates }) => rates?.told.cache?.sharedHits)
  const misses = sum(({ rates }) => rates?.told.cache?.misses)
  const all = hits + sharedHits + misses
  return {
    entries: sum(({ report }) => report?.figures.cache?.entries),
    bytes: sum(({ report }) => report?.figures.cache?.bytes),
    ...{ hitsPerSecond: hits, sharedHitsPerSecond: sharedHits, missesPerSecond: misses },
    hitRatio: all > 0 ? round((hits + sharedHits) / all) : null,
  }
}
