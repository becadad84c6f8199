import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { UpstreamReport } from './balancer-metrics.ts'
import type { LogProblem } from './logging.ts'
import type { Metrics } from './metrics.ts'
import { readHandled, readSent } from './vitals-messages.ts'
import { type RequestsReport, readRequests } from './vitals-requests.ts'

/** The path of the vitals on every HTTP server and metrics server, for holders of the internal secret. */
export const vitalsPath = '/internal/v1/vitals'

/**
 * What a process says of itself. Whatever is counted is counted since `startedAt`, so that each
 * reader makes rates of its own.
 */
export type VitalsReport = {
  service: string
  instance: string
  pid: number
  /** False while it starts and while it stops. */
  isReady: boolean
  startedAt: string
  uptimeSeconds: number
  cpuSeconds: number
  memoryBytes: number
  /** How late the event loop was at most, but for one time in a hundred, in the last seconds. */
  eventLoopDelayMs: number
  requests: RequestsReport
  /** Calls of other services. */
  upstreams: readonly UpstreamReport[]
  sent: readonly { kind: 'queue' | 'topic'; name: string; count: number }[]
  /** Tries at messages, by the queue or topic they came from. */
  handled: readonly { source: string; done: number; failed: number }[]
  /** What waits to be published. Absent without an outbox, and while the database does not tell. */
  outbox?: { waiting: number; oldestSeconds: number }
  databases: readonly DatabaseReport[]
  /** What the service tells besides: counts and sizes, by subject. */
  figures: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** The last errors and warnings, oldest first. */
  problems: readonly LogProblem[]
}

export type DatabaseReport = {
  name: string
  size: number
  open: number
  busy: number
  waiting: number
}

export type Vitals = {
  /** Never waits for anything that is away. */
  read(): Promise<VitalsReport>
  /** Takes note of a problem; for the logger. */
  note(problem: LogProblem): void
  addDatabase(name: string, pool: PoolView): void
  setOutbox(read: () => Promise<{ rows: number; oldestAgeSeconds: number }>): void
  addFigures(subject: string, read: () => Readonly<Record<string, number>>): void
}

/** What is read of a pool of `pg`. */
export type PoolView = {
  readonly totalCount: number
  readonly idleCount: number
  readonly waitingCount: number
  readonly options: { readonly max: number }
}

const keptProblems = 20
// A native timer that wakes nobody: fine enough for what people would notice.
const loopResolutionMs = 20
// Two readers of a process must not halve each other's window.
const windowMs = 1_000
// A count of an outbox that grew during an outage takes a while: no reader waits for it, and it is
// not asked for again before.
const outboxWaitMs = 200

/** The account that a process keeps of itself, made of what is measured anyway. */
export function createVitals(options: {
  service: string
  instance: string
  metrics: Metrics
  isReady: () => boolean
}): Vitals {
  const { service, instance, metrics } = options
  const startedAt = new Date(Date.now() - process.uptime() * 1_000).toISOString()
  const problems: LogProblem[] = []
  const pools = new Map<string, PoolView>()
  const figures = new Map<string, () => Readonly<Record<string, number>>>()
  const readLoopDelay = createLoopWatch()
  let readOutbox: () => Promise<VitalsReport['outbox']> = async () => undefined

  return {
    async read() {
      const [requests, sent, handled, outbox] = await Promise.all([
        readRequests(metrics),
        readSent(metrics),
        readHandled(metrics),
        readOutbox(),
      ])
      const { user, system } = process.cpuUsage()
      return {
        ...{ service, instance, pid: process.pid, startedAt, uptimeSeconds: process.uptime() },
        isReady: options.isReady(),
        cpuSeconds: (user + system) / 1e6,
        memoryBytes: process.memoryUsage.rss(),
        eventLoopDelayMs: readLoopDelay(),
        requests,
        upstreams: metrics.upstreams(),
        sent,
        handled,
        ...(outbox && { outbox }),
        databases: [...pools].map(([name, pool]) => toDatabaseReport(name, pool)),
        figures: Object.fromEntries([...figures].map(([subject, read]) => [subject, read()])),
        problems: [...problems],
      }
    },
    note(problem) {
      problems.push(problem)
      if (problems.length > keptProblems) problems.shift()
    },
    addDatabase: (name, pool) => void pools.set(name, pool),
    addFigures: (subject, read) => void figures.set(subject, read),
    setOutbox(read) {
      readOutbox = createOutboxReader(read)
    },
  }
}

function toDatabaseReport(name: string, pool: PoolView): DatabaseReport {
  const { totalCount: open, idleCount, waitingCount: waiting } = pool
  return { name, size: pool.options.max, open, busy: open - idleCount, waiting }
}

function createLoopWatch(): () => number {
  const histogram = monitorEventLoopDelay({ resolution: loopResolutionMs })
  histogram.enable()
  let sinceMs = performance.now()
  let delayMs = 0
  return () => {
    const nowMs = performance.now()
    if (nowMs - sinceMs < windowMs) return delayMs
    // It measures the whole time between two ticks, and nothing at all before the first one.
    const tickMs = histogram.count === 0 ? 0 : histogram.percentile(99) / 1e6
    delayMs = Math.max(0, tickMs - loopResolutionMs)
    histogram.reset()
    sinceMs = nowMs
    return delayMs
  }
}

/** Reads one at a time, however many ask; undefined when it takes too long or fails. */
function createOutboxReader(read: () => Promise<{ rows: number; oldestAgeSeconds: number }>) {
  let underWay: Promise<VitalsReport['outbox']> | undefined
  return () => {
    underWay ??= read()
      .then(
        ({ rows, oldestAgeSeconds }) => ({ waiting: rows, oldestSeconds: oldestAgeSeconds }),
        // A database that is away is told by other signs; the account leaves out what it has not.
        () => undefined,
      )
      .finally(() => {
        underWay = undefined
      })
    return withinWait(underWay)
  }
}

async function withinWait<T>(work: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => resolve(undefined), outboxWaitMs)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}
