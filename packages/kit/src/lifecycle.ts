import { ConfigError } from './config.ts'
import type { Logger } from './logging.ts'

/** Something that runs for as long as the service does. */
export type Part = {
  name: string
  start?(): Promise<void>
  /** Lets those who look at the readiness find out; everything still works meanwhile. */
  drain?(): Promise<void>
  stop?(): Promise<void>
}

/** What `createApp` of a service returns. */
export type App = {
  start(): Promise<void>
  /** @param options.isHurried leaves out the draining, because nobody is there who could notice. */
  stop(options?: { isHurried?: boolean }): Promise<void>
}

export type Lifecycle = App & {
  /** Adds a part; parts start in the order added and stop in reverse. */
  add(part: Part): void
  /** True between the end of `start` and the beginning of `stop`. */
  isReady(): boolean
}

/**
 * Starts parts in order. At the end readiness is withdrawn, all parts drain, and then they stop in
 * reverse order.
 * @param options.drainMs milliseconds that all parts together may take to stop; a part that takes
 *   longer is named in the log and left behind, so that the process can end.
 */
export function createLifecycle(options: { logger: Logger; drainMs: number }): Lifecycle {
  const { logger, drainMs } = options
  const parts: Part[] = []
  const started: Part[] = []
  let isReady = false
  let stopping: Promise<void> | undefined

  async function stopParts(isHurried: boolean): Promise<void> {
    const deadlineAtMs = performance.now() + drainMs
    if (!isHurried) await Promise.all(started.map((part) => drainPart(part, deadlineAtMs)))
    for (const part of started.splice(0).reverse()) {
      try {
        if (part.stop) await withinDrain(part.name, part.stop(), deadlineAtMs)
      } catch (error) {
        // One part that cannot stop must not keep the others from saving their work.
        logger.error({ error, part: part.name }, 'A part did not stop cleanly.')
      }
    }
  }

  async function drainPart({ name, drain }: Part, deadlineAtMs: number): Promise<void> {
    try {
      if (drain) await withinDrain(name, drain(), deadlineAtMs)
    } catch (error) {
      logger.error({ error, part: name }, 'A part did not drain cleanly.')
    }
  }

  return {
    add(part) {
      parts.push(part)
    },
    async start() {
      try {
        for (const part of parts) {
          started.push(part)
          await part.start?.()
        }
      } catch (error) {
        stopping ??= stopParts(true)
        await stopping
        throw error
      }
      if (stopping === undefined) isReady = true
    },
    stop({ isHurried = false } = {}) {
      isReady = false
      stopping ??= stopParts(isHurried)
      return stopping
    },
    isReady: () => isReady,
  }
}

async function withinDrain(name: string, work: Promise<void>, deadlineAtMs: number): Promise<void> {
  const leftMs = Math.max(0, deadlineAtMs - performance.now())
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new Error(`${name} was still busy when the time to drain was over.`)),
    leftMs,
  )
  try {
    await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

// Longer than any lifecycle's drain: only a stop that hangs outside of it gets here.
const hardStopMs = 30_000

/**
 * Runs a service as a process: starts it, tells a parent process `{ type: 'ready' }`, drains on
 * SIGTERM, SIGINT or when the parent goes away, and exits. A faulty configuration is written to
 * standard error and exits 1; so does an error that nobody caught, logged once.
 */
export async function runService(createApp: () => Promise<App>): Promise<void> {
  process.once('uncaughtException', crash)
  process.once('unhandledRejection', crash)
  let app: App | undefined
  let isStopping = false

  const stop = async (isHurried: boolean) => {
    // A second signal means that whoever sent it will not wait.
    if (isStopping) process.exit(1)
    isStopping = true
    setTimeout(() => process.exit(1), hardStopMs).unref()
    try {
      await app?.stop({ isHurried })
    } catch (error) {
      crash(error)
    }
    process.exit(0)
  }
  process.on('SIGTERM', () => stop(false))
  process.on('SIGINT', () => stop(false))
  // Whoever started us and our callers is gone: they end too, and have nowhere to go.
  if (process.connected) process.once('disconnect', () => stop(true))

  try {
    app = await createApp()
    await app.start()
  } catch (error) {
    if (isStopping) return
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message}\n`)
      process.exit(1)
    }
    crash(error)
  }
  if (process.connected && process.send) process.send({ type: 'ready' })
}

function crash(error: unknown): never {
  const line = {
    level: 'fatal',
    time: new Date().toISOString(),
    message: 'The process ends because of an error that nobody caught.',
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  }
  process.stderr.write(`${JSON.stringify(line)}\n`)
  process.exit(1)
}
