import type {
  StackProcess,
  SystemArchitecture,
  SystemPicture,
} from '@halles/contracts/gen/http/gateway'
import { type Arrow, toArrows } from './arrows.ts'

/**
 * What is drawn, made of what the API tells: the one place of the console that knows the API's
 * pictures.
 */
export type Scene = {
  /** When it was seen; null before the first picture. */
  at: string | null
  parts: readonly Part[]
  arrows: readonly Arrow[]
  /** Null while the broker does not tell. */
  deadLetters: number | null
  /** Whether there is a local stack, whose parts can be stopped and disturbed. */
  isLocal: boolean
}

export type PartKind =
  | SystemArchitecture['nodes'][number]['kind']
  /** Serves pages; a client of the gateways, behind them. */
  | 'app'
  | 'balancer'
  /** What all gateways share. */
  | 'cache'

export type Wellness = 'well' | 'strained' | 'down' | 'unknown'

export type LampState =
  | 'ready'
  | 'starting'
  | 'draining'
  | 'frozen'
  | 'unhealthy'
  | 'ejected'
  | 'stopped'

/** An instance. */
export type Lamp = {
  id: string
  state: LampState
  pid?: number
  startedAt?: string
  restarts?: number
  slowedByMs: number
  perSecond?: number
  failuresPerSecond?: number
  p95Ms?: number
  memoryBytes?: number
  cpuPercent?: number
}

export type Part = {
  id: string
  kind: PartKind
  name: string
  wellness: Wellness
  lamps: readonly Lamp[]
  slowedByMs: number
  /** The part of the local stack that runs it; undefined where there is none. */
  runsAs?: string
  perSecond?: number
  failuresPerSecond?: number
  p95Ms?: number
  memoryBytes?: number
  outbox?: { waiting: number; oldestSeconds: number }
  pool?: { size: number; busy: number; waiting: number }
  queue?: { waiting: number; oldestSeconds: number }
  /** By consumer. */
  lags?: readonly { name: string; lag: number }[]
  cache?: SystemPicture['cache']
}

/** Pictures that are averaged, so that a rare event is seen for longer than a second. */
export const recentPictures = 3

/**
 * @param recent the last pictures, newest last; none before the first one came.
 */
export function toScene(architecture: SystemArchitecture, recent: readonly SystemPicture[]): Scene {
  const picture = recent.at(-1)
  const processes = picture?.processes ?? []
  const parts = [
    ...architecture.nodes.map((node) =>
      toPart(isApp(node.id, architecture) ? { ...node, kind: 'app' } : node, recent, processes),
    ),
    ...toAddedParts(architecture, recent, processes),
  ]
  const hasCache = parts.some(({ kind }) => kind === 'cache')
  return {
    at: picture?.at ?? null,
    parts,
    arrows: toArrows(architecture, recent, { hasCache }),
    deadLetters: picture?.deadLetters ?? null,
    isLocal: picture?.processes !== undefined,
  }
}

/** Behind the gateways and their client too: what serves pages. */
const isApp = (id: string, { edges }: SystemArchitecture) =>
  edges.some(({ from, to, kind }) => from === id && to === 'gateway' && kind === 'http') &&
  edges.some(({ from, to }) => from === 'gateway' && to === id)

type Node = { id: string; kind: PartKind; name: string }

/** Parts that run but are in no contract: what serves pages, and what the stack brings with it. */
function toAddedParts(
  { nodes }: SystemArchitecture,
  recent: readonly SystemPicture[],
  processes: readonly StackProcess[],
): Part[] {
  const picture = recent.at(-1)
  const known = new Set(nodes.map(({ id }) => id))
  const apps = (picture?.parts ?? []).flatMap(({ service }): Node[] =>
    known.has(service) ? [] : [{ id: service, kind: 'app', name: service }],
  )
  const isShared =
    processes.some(({ part }) => part === 'redis') || (picture?.cache.sharedHitsPerSecond ?? 0) > 0
  const added: Node[] = [
    ...apps,
    { id: 'balancer', kind: 'balancer', name: 'balancer' },
    ...(isShared ? [{ id: 'redis', kind: 'cache', name: 'redis' } as const] : []),
  ]
  return added.map((node) => toPart(node, recent, processes))
}

// Who runs what in a local stack; services run under their own name.
const runners: Partial<Record<PartKind, string>> = {
  balancer: 'haproxy',
  cache: 'redis',
  database: 'postgres',
  queue: 'rabbitmq',
  topic: 'kafka',
}

function runnerOf({ id, kind }: Node, processes: readonly StackProcess[]): string | undefined {
  const isThere = (name: string) => processes.some(({ part }) => part === name)
  const name = runners[kind] ?? (kind === 'provider' ? `${id}-sandbox` : id)
  if (isThere(name)) return name
  // Without brokers the messages lie in PostgreSQL.
  const isMessages = kind === 'queue' || kind === 'topic'
  return isMessages && isThere('postgres') ? 'postgres' : undefined
}

function toPart(
  node: Node,
  recent: readonly SystemPicture[],
  processes: readonly StackProcess[],
): Part {
  const picture = recent.at(-1)
  const { id, kind, name } = node
  const runsAs = runnerOf(node, processes)
  const own = processes.filter(({ part }) => part === runsAs)
  const instances = picture?.parts.find(({ service }) => service === id)?.instances ?? []
  const known = own.length > 0 ? toLocalLamps(own, instances) : instances.map(toLamp)
  const lamps = known.map((lamp) => steady(lamp, id, recent))
  const part: Part = {
    ...{ id, kind, name, lamps },
    wellness: wellnessOf(lamps, picture !== undefined),
    slowedByMs: Math.max(0, ...lamps.map(({ slowedByMs }) => slowedByMs)),
    ...(runsAs !== undefined && { runsAs }),
    ...sumOf(lamps),
  }
  if (!picture) return part
  const outbox = picture.outboxes.find(({ service }) => service === id)
  if (outbox) part.outbox = outbox
  if (kind === 'gateway') part.cache = picture.cache
  if (kind === 'database') {
    const pool = picture.databases.find((each) => each.name === name)
    if (pool) part.pool = pool
  }
  if (kind === 'queue') {
    // An empty queue may be none that the broker tells of.
    const queue = picture.queues.find((each) => each.name === name)
    part.queue = { waiting: queue?.waiting ?? 0, oldestSeconds: queue?.oldestSeconds ?? 0 }
  }
  if (kind === 'topic') {
    part.lags = picture.topics.find((each) => each.name === name)?.groups ?? []
  }
  return part
}

type Instance = SystemPicture['parts'][number]['instances'][number]

function toLamp({ id, state, pid, startedAt, figures }: Instance): Lamp {
  const { requestsPerSecond, errorsPerSecond, p95Ms, memoryBytes, cpuPercent } = figures
  return {
    ...{ id, state, slowedByMs: 0 },
    ...(pid !== undefined && { pid }),
    ...(startedAt !== undefined && { startedAt }),
    ...(requestsPerSecond !== undefined && { perSecond: requestsPerSecond }),
    ...(errorsPerSecond !== undefined && { failuresPerSecond: errorsPerSecond }),
    ...(p95Ms !== undefined && { p95Ms }),
    ...(memoryBytes !== undefined && { memoryBytes }),
    ...(cpuPercent !== undefined && { cpuPercent }),
  }
}

/** With the mean of the last pictures, as on the arrows that lead to it. */
function steady(lamp: Lamp, service: string, recent: readonly SystemPicture[]): Lamp {
  if (lamp.perSecond === undefined) return lamp
  const rates = recent.flatMap(({ parts }) => {
    const instances = parts.find((each) => each.service === service)?.instances ?? []
    return instances.find(({ id }) => id === lamp.id)?.figures.requestsPerSecond ?? []
  })
  const sum = rates.reduce((total, each) => total + each, 0)
  return rates.length === 0 ? lamp : { ...lamp, perSecond: sum / rates.length }
}

/** The stack knows every process, those that do not run too; the instances know how they do. */
function toLocalLamps(own: readonly StackProcess[], instances: readonly Instance[]): Lamp[] {
  // One that never said its name yet is known by its address.
  const nameless = instances.filter(({ id }) => !own.some(({ instance }) => instance === id))
  return own
    .map(({ instance, state, pid, restarts, slowedByMs }) => {
      const known = instances.find(({ id }) => id === instance) ?? nameless.shift()
      const isRunning = state === 'ready'
      const seen = known && isRunning ? toLamp(known) : { slowedByMs: 0 }
      return {
        ...seen,
        id: instance,
        state: isRunning ? (known?.state ?? 'ready') : lampStateOf(state),
        ...(pid !== undefined && { pid }),
        ...{ restarts, slowedByMs },
      }
    })
    .sort((a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }))
}

function lampStateOf(state: string): LampState {
  if (state === 'frozen' || state === 'stopped') return state
  return state === 'stopping' ? 'draining' : 'starting'
}

function wellnessOf(lamps: readonly Lamp[], isKnown: boolean): Wellness {
  if (!isKnown) return 'unknown'
  if (lamps.length === 0) return 'well'
  const ready = lamps.filter(({ state }) => state === 'ready')
  if (ready.length === 0) return 'down'
  const isWhole = ready.length === lamps.length && ready.every(({ slowedByMs }) => slowedByMs === 0)
  return isWhole ? 'well' : 'strained'
}

function sumOf(lamps: readonly Lamp[]) {
  const valuesOf = (key: 'perSecond' | 'failuresPerSecond' | 'p95Ms' | 'memoryBytes') =>
    lamps.flatMap((lamp) => lamp[key] ?? [])
  const sum = (values: readonly number[]) => values.reduce((total, each) => total + each, 0)
  const [rates, failures, times, memory] = [
    valuesOf('perSecond'),
    valuesOf('failuresPerSecond'),
    valuesOf('p95Ms'),
    valuesOf('memoryBytes'),
  ]
  return {
    ...(rates.length > 0 && { perSecond: sum(rates) }),
    ...(failures.length > 0 && { failuresPerSecond: sum(failures) }),
    // The slowest instance is the one that somebody waits for.
    ...(times.length > 0 && { p95Ms: Math.max(...times) }),
    ...(memory.length > 0 && { memoryBytes: sum(memory) }),
  }
}
