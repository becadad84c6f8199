import { setTimeout as pauseFor } from 'node:timers/promises'
import type {
  StackProcess,
  SystemInstance,
  SystemPicture,
} from '@halles/contracts/gen/http/gateway'
import { AppError } from '@halles/kit/errors'
import type { Logger } from '@halles/kit/logging'
import type { MessagingStats } from '@halles/kit/messaging'
import type { VitalsReport } from '@halles/kit/vitals'
import type { Latest } from './latest.ts'
import { toPicture } from './picture.ts'
import { createRecords, type InstanceRecord, type Records, type Sighting } from './records.ts'

/** An instance that can be asked how it is; `read` resolves with undefined when it is silent. */
export type Known = Sighting & { read(): Promise<VitalsReport | null | undefined> }

export type Collector = {
  /**
   * Looks once a second for as long as somebody watches: once for all watchers.
   * @throws unavailable `TOO_MANY_WATCHERS`.
   */
  watch(signal: AbortSignal): AsyncIterable<SystemPicture>
  /** Looks now, unless somebody watches, and for some seconds more. */
  look(): Promise<void>
  find(instanceId: string): InstanceRecord | undefined
  points(instanceId: string): SystemInstance['points']
}

export type CollectorOptions = {
  /** This gateway. */
  self: string
  known(): readonly Known[]
  messages: Latest<MessagingStats>
  processes: Latest<readonly StackProcess[]> | undefined
  logger: Logger
  /** Aborted when the gateway begins to stop. */
  closing: AbortSignal
  clock?: () => number
  /** Milliseconds since 1970. */
  now?: () => number
  pause?: (ms: number, signal: AbortSignal) => Promise<void>
}

const intervalMs = 1_000
// After a round that took all its time the gateway serves shoppers first.
const leastPauseMs = 200
// Whoever reloads the page, or asks for an instance again, finds what was there.
const lingerMs = 10_000
// Instances asked at once: a round of frozen ones still ends in time.
const probesAtOnce = 64
// Each gets some 10 KB a second; a class of students has a projector.
const maxWatchers = 32

/** Looks at all instances while somebody wants to know. */
export function createCollector(options: CollectorOptions): Collector {
  const { closing, logger, clock = () => performance.now() } = options
  const { pause = pauseUnlessAborted } = options
  const records = createRecords()
  const draw = createDrawing(options, records)
  const watchers = new Set<object>()
  let isLooking = false
  let latest: { picture: SystemPicture; atMs: number } | undefined
  let wantedUntilMs = Number.NEGATIVE_INFINITY
  let drawn = Promise.withResolvers<void>()

  async function run(): Promise<void> {
    if (isLooking) return
    isLooking = true
    while (!closing.aborted && (watchers.size > 0 || clock() < wantedUntilMs)) {
      const startedAtMs = clock()
      try {
        latest = { picture: await draw(), atMs: clock() }
        const { resolve } = drawn
        drawn = Promise.withResolvers()
        resolve()
      } catch (error) {
        logger.error({ error }, 'A look at the system failed.')
      }
      await pause(Math.max(leastPauseMs, intervalMs - (clock() - startedAtMs)), closing)
    }
    isLooking = false
  }

  const fresh = () => (latest && clock() - latest.atMs < 2 * intervalMs ? latest : undefined)

  async function* pictures(ended: AbortSignal, leave: () => void) {
    const left = new Promise<void>((resolve) => {
      ended.addEventListener('abort', () => resolve(), { once: true })
    })
    let told: typeof latest
    try {
      while (!ended.aborted) {
        const next = drawn.promise
        const now = fresh()
        if (now && now !== told) {
          told = now
          yield now.picture
        } else {
          await Promise.race([next, left])
        }
      }
    } finally {
      leave()
    }
  }

  return {
    watch(signal) {
      if (watchers.size >= maxWatchers) throw tooManyWatchers()
      const watcher = {}
      const leave = () => {
        if (watchers.delete(watcher)) wantedUntilMs = clock() + lingerMs
      }
      const ended = AbortSignal.any([signal, closing])
      if (!ended.aborted) watchers.add(watcher)
      // A stream that nobody ever reads from does not run to its end either.
      ended.addEventListener('abort', leave, { once: true })
      void run()
      return pictures(ended, leave)
    },
    async look() {
      wantedUntilMs = clock() + lingerMs
      const next = drawn.promise
      void run()
      if (!fresh() && !closing.aborted) await Promise.race([next, pause(intervalMs, closing)])
    },
    find: records.find,
    points: (instanceId) => records.find(instanceId)?.points ?? [],
  }
}

/** One look at everything, all at once. */
function createDrawing(options: CollectorOptions, records: Records): () => Promise<SystemPicture> {
  const { self: toldBy, known, now = Date.now } = options
  return async () => {
    const atMs = now()
    const [messages, processes] = await Promise.all([
      options.messages(),
      options.processes?.(),
      forEachOf(known(), async ({ read, ...sighting }) => {
        const report = await read()
        const state = stateOf(sighting, report)
        records.take({ ...sighting, state }, report ?? undefined, atMs)
      }),
    ])
    records.endRound(atMs)
    return toPicture({ atMs, toldBy, records: records.current(), messages, processes })
  }
}

function tooManyWatchers(): AppError {
  const text = 'Too many people watch the system through this gateway.'
  return new AppError('unavailable', 'TOO_MANY_WATCHERS', text, { retryAfterSeconds: 30 })
}

/** Of other gateways nobody else tells how they are. */
function stateOf({ service, state }: Sighting, report: VitalsReport | null | undefined) {
  if (service === 'gateway' && report === undefined) return 'unhealthy'
  return state === 'ready' && report?.isReady === false ? 'draining' : state
}

/** Does the work for every item, so many at once. */
async function forEachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values()
  const worker = async () => {
    for (const item of left) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(probesAtOnce, items.length) }, worker))
}

async function pauseUnlessAborted(ms: number, signal: AbortSignal): Promise<void> {
  await pauseFor(ms, undefined, { signal, ref: false }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}
