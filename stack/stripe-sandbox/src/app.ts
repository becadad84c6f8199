import { once } from 'node:events'
import { createFaults, type Faults } from './faults/registry.ts'
import { createServer } from './http.ts'
import { createIdempotency } from './idempotency.ts'
import { mintId } from './ids.ts'
import { defaultLimits, pruneStore } from './retention.ts'
import type { MethodType } from './shapes/payment-methods.ts'
import { openStore } from './store.ts'
import { createTaskTimer } from './tasks-timer.ts'
import type { Deps } from './use-cases/deps.ts'
import { expireDueSessions } from './use-cases/sessions.ts'
import { createWebhooks } from './webhooks/webhooks.ts'

export type SandboxLogger = {
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export type SandboxOptions = {
  /** The key that callers must present. */
  apiKey: string
  /** The secret that signs webhooks, or several during a rotation: each signs. */
  webhookSecret: string | readonly string[]
  /** Where webhooks go; events wait while there is none (see `sendWebhooksTo`). */
  webhookUrl?: string | undefined
  /** Event types to send; all when absent or `*`. */
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
  /** What the account has switched on in the dashboard; `defaultPaymentMethods`. */
  paymentMethods?: readonly MethodType[] | undefined
  /** How long a bank takes for a refund, a debit or a verdict; `defaultBankDelayMs`. */
  bankDelayMs?: number | undefined
  /** How long money is held for a capture; seven days, as Stripe's cards. */
  authorizationMs?: number | undefined
  /** How many objects and events are kept; beyond, the oldest go. */
  maxObjects?: number | undefined
  maxEvents?: number | undefined
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
  /** Rolls the secrets: from now on exactly these sign. */
  signWith(secrets: readonly string[]): void
  /** What goes wrong on demand; the same that the inspection API switches. */
  faults: Faults
  stop(): Promise<void>
}

/** Stripe tries for three days (0, 5 min, 30 min, 2 h, 5 h, 10 h, then every 12 h): 600 times faster. */
export const defaultRetryScheduleMs = [
  500, 3_000, 12_000, 30_000, 60_000, 72_000, 72_000, 72_000, 72_000, 72_000,
]

/** All that the sandbox knows; a session offers those that fit its currency and capture. */
export const defaultPaymentMethods: readonly MethodType[] = ['card', 'sepa_debit', 'bacs_debit']

/** Where a bank takes days, tests wait this long. */
export const defaultBankDelayMs = 2_000
const defaultAuthorizationMs = 7 * 86_400_000

// Expiry is seen at most this late.
const expiryTickMs = 500
const expiryBatch = 100
// A pass deletes two thousand at most, so it must keep up with the busiest replay.
const housekeepingMs = 5_000
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
  const faults = createFaults()
  let secrets = [options.webhookSecret].flat()
  const webhooks = createWebhooks({
    store,
    clock,
    url: () => webhookUrl,
    secrets: () => secrets,
    retryScheduleMs: options.retryScheduleMs ?? defaultRetryScheduleMs,
    timeoutMs: options.webhookTimeoutMs ?? 10_000,
    concurrency: options.webhookConcurrency ?? 32,
    faults,
    onGivenUp: (eventId, { status, error }) =>
      logger.warn({ eventId, status, error }, 'A webhook was given up after its last retry'),
  })
  const tasks = createTaskTimer(() => deps, clock)
  const deps: Deps = {
    store,
    clock,
    mint: mintId,
    publicUrl: () => publicUrl,
    minimumSessionSeconds: options.minimumSessionSeconds ?? 1_800,
    paymentMethods: options.paymentMethods ?? defaultPaymentMethods,
    bankDelayMs: options.bankDelayMs ?? defaultBankDelayMs,
    authorizationMs: options.authorizationMs ?? defaultAuthorizationMs,
    isSubscribed: toSubscription(options.webhookEvents),
    wakeWebhooks: webhooks.wake,
    wakeTasks: tasks.wake,
  }
  const signWith = (next: readonly string[]) => {
    secrets = [...next]
  }
  const idempotency = createIdempotency(store, clock)
  const inspected = { deps, webhooks, faults, tasks, signWith }
  const server = createServer({ ...inspected, apiKey: options.apiKey, idempotency, logger })
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
  const timers = startTimers(deps, options)
  webhooks.wake()
  tasks.wake()
  return {
    url,
    host,
    port,
    sendWebhooksTo(next) {
      webhookUrl = next
      webhooks.wake()
    },
    signWith,
    faults,
    async stop() {
      timers.stop()
      tasks.stop()
      await Promise.all([closeServer(server), webhooks.stop(drainMs)])
      store.close()
    },
  }
}

function toSubscription(types: readonly string[] | undefined): (type: string) => boolean {
  const subscribed = new Set(types ?? ['*'])
  return subscribed.has('*') ? () => true : (type) => subscribed.has(type)
}

function startTimers(deps: Deps, options: SandboxOptions): { stop(): void } {
  const limits = {
    maxObjects: options.maxObjects ?? defaultLimits.maxObjects,
    maxEvents: options.maxEvents ?? defaultLimits.maxEvents,
  }
  const expiry = setInterval(() => expireDueSessions(deps, expiryBatch), expiryTickMs)
  const housekeeping = setInterval(
    () => pruneStore(deps.store, limits, deps.clock()),
    housekeepingMs,
  )
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
