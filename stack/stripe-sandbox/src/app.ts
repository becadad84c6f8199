import { once } from 'node:events'
import { createServer } from './http.ts'
import { createIdempotency } from './idempotency.ts'
import { mintId } from './ids.ts'
import { openStore } from './store.ts'
import { type Deps, expireDueSessions } from './use-cases.ts'
import { createWebhooks } from './webhooks.ts'

export type SandboxLogger = {
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export type SandboxOptions = {
  /** The key that callers must present. */
  apiKey: string
  /** The secret that signs webhooks. */
  webhookSecret: string
  /** Where webhooks go; events wait while there is none (see `sendWebhooksTo`). */
  webhookUrl?: string | undefined
  /** Event types to send; all when absent. */
  webhookEvents?: readonly string[] | undefined
  /** Where the state is kept; in memory when absent. */
  dataDir?: string | undefined
  host?: string | undefined
  /** 0, the default, takes a free one. */
  port?: number | undefined
  /** The base of the hosted pages' addresses as a browser reaches them. */
  publicUrl?: string | undefined
  retryScheduleMs?: readonly number[] | undefined
  webhookTimeoutMs?: number | undefined
  webhookConcurrency?: number | undefined
  /** Stripe refuses sessions shorter than 30 minutes. */
  minimumSessionSeconds?: number | undefined
  /** Milliseconds since 1970. */
  clock?: (() => number) | undefined
  logger?: SandboxLogger | undefined
}

export type Sandbox = {
  url: string
  host: string
  port: number
  /** Points the webhooks at an address that was not known at the start. */
  sendWebhooksTo(url: string): void
  stop(): Promise<void>
}

/** Stripe tries for three days (0, 5 min, 30 min, 2 h, 5 h, 10 h, then every 12 h): 600 times faster. */
export const defaultRetryScheduleMs = [
  500, 3_000, 12_000, 30_000, 60_000, 72_000, 72_000, 72_000, 72_000, 72_000,
]

// Expiry is seen at most this late.
const expiryTickMs = 500
const expiryBatch = 100
const housekeepingMs = 3_600_000
// As long as Stripe shows events.
const eventAgeSeconds = 30 * 86_400
// Requests and deliveries under way when it stops get this long; undelivered events are kept.
const drainMs = 5_000

const toStderr: SandboxLogger = {
  warn: (fields, message) => console.error('warn', message, fields),
  error: (fields, message) => console.error('error', message, fields),
}

/** Starts a Stripe sandbox; it listens when the promise resolves. Throws when it cannot. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const clock = options.clock ?? Date.now
  const logger = options.logger ?? toStderr
  const host = options.host ?? '127.0.0.1'
  let webhookUrl = options.webhookUrl ?? null
  let publicUrl = options.publicUrl?.replace(/\/+$/, '') ?? ''
  const store = openStore(options.dataDir, (error) => logger.error({ error }, 'A commit failed'))
  const webhooks = createWebhooks({
    store,
    clock,
    url: () => webhookUrl,
    secret: options.webhookSecret,
    retryScheduleMs: options.retryScheduleMs ?? defaultRetryScheduleMs,
    timeoutMs: options.webhookTimeoutMs ?? 10_000,
    concurrency: options.webhookConcurrency ?? 32,
    onGivenUp: (eventId, { status, error }) =>
      logger.warn({ eventId, status, error }, 'A webhook was given up after its last retry'),
  })
  const subscribed = options.webhookEvents && new Set(options.webhookEvents)
  const deps: Deps = {
    store,
    clock,
    mint: mintId,
    publicUrl: () => publicUrl,
    minimumSessionSeconds: options.minimumSessionSeconds ?? 1_800,
    isSubscribed: (type) => subscribed?.has(type) ?? true,
    wakeWebhooks: webhooks.wake,
  }
  const idempotency = createIdempotency(store, clock)
  const server = createServer({ deps, apiKey: options.apiKey, idempotency, webhooks, logger })
  server.listen(options.port ?? 0, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    store.close()
    throw error
  }
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const url = `http://${host}:${port}`
  if (publicUrl === '') publicUrl = url
  const timers = startTimers(deps, idempotency.forgetOld)
  webhooks.wake()
  return {
    url,
    host,
    port,
    sendWebhooksTo(next) {
      webhookUrl = next
      webhooks.wake()
    },
    async stop() {
      timers.stop()
      await Promise.all([closeServer(server), webhooks.stop(drainMs)])
      store.close()
    },
  }
}

function startTimers(deps: Deps, forgetOldAnswers: () => void): { stop(): void } {
  const expiry = setInterval(() => expireDueSessions(deps, expiryBatch), expiryTickMs)
  const housekeeping = setInterval(() => {
    forgetOldAnswers()
    const before = Math.floor(deps.clock() / 1000) - eventAgeSeconds
    deps.store.write(
      'DELETE FROM attempts WHERE event_id IN (SELECT id FROM events WHERE created < ?)',
      before,
    )
    deps.store.write('DELETE FROM events WHERE created < ? AND next_at IS NULL', before)
  }, housekeepingMs)
  return {
    stop() {
      clearInterval(expiry)
      clearInterval(housekeeping)
    },
  }
}

async function closeServer(server: ReturnType<typeof createServer>): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  const limit = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearTimeout(limit)
}
