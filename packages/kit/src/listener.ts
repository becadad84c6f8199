import pg from 'pg'
import type { Logger } from './logging.ts'
import { jitteredDelayMs } from './loop.ts'

export type ListenerOptions = {
  url: string
  channel: string
  applicationName: string
  logger: Logger
  /** Called for each notification, and with undefined after each (re)connection: some may be missed. */
  onNotify(payload: string | undefined): void
}

export type Listener = { start(): void; stop(): Promise<void> }

// Short, because a listener that is away turns latency into the back-stop poll.
const backoff = { baseMs: 50, maxMs: 1_000 }
const connectTimeoutMs = 3_000

/** Keeps one connection that LISTENs on a channel; it comes back by itself when it is lost. */
export function createListener(options: ListenerOptions): Listener {
  const { url, channel, applicationName, logger, onNotify } = options
  let isRunning = false
  let client: pg.Client | undefined
  let retry: NodeJS.Timeout | undefined
  let failures = 0

  function onLost(lost: pg.Client, reason: string): void {
    if (client !== lost) return
    client = undefined
    // The socket may still be half open; its own errors no longer matter.
    lost.end().catch((error: Error) => logger.debug({ reason: error.message }, 'listener closed'))
    if (!isRunning) return
    failures += 1
    logger.warn({ channel, reason, failures }, 'the listening connection was lost')
    retry = setTimeout(connect, jitteredDelayMs(backoff, failures))
  }

  function connect(): void {
    const next = new pg.Client({
      connectionString: url,
      application_name: `${applicationName} listener`,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
    })
    client = next
    next.on('error', (error) => onLost(next, error.message))
    next.on('end', () => onLost(next, 'the server closed it'))
    next.on('notification', ({ payload }) => onNotify(payload ?? ''))
    next
      .connect()
      .then(() => next.query(`listen ${pg.escapeIdentifier(channel)}`))
      .then(() => {
        failures = 0
        onNotify(undefined)
      })
      .catch((error: Error) => onLost(next, error.message))
  }

  return {
    start() {
      if (isRunning) return
      isRunning = true
      connect()
    },
    async stop() {
      isRunning = false
      clearTimeout(retry)
      const last = client
      client = undefined
      await last?.end()
    },
  }
}
