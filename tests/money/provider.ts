import { once } from 'node:events'
import { defaultPaymentMethods } from '../../stack/stripe-sandbox/src/app.ts'
import { type Task, taskKinds } from '../../stack/stripe-sandbox/src/domain/decision.ts'
import { ApiError } from '../../stack/stripe-sandbox/src/errors.ts'
import { createFaults } from '../../stack/stripe-sandbox/src/faults/registry.ts'
import { submitPage } from '../../stack/stripe-sandbox/src/hosted-page.ts'
import { createServer } from '../../stack/stripe-sandbox/src/http.ts'
import { createIdempotency } from '../../stack/stripe-sandbox/src/idempotency.ts'
import { mintId } from '../../stack/stripe-sandbox/src/ids.ts'
import { listOfIntent } from '../../stack/stripe-sandbox/src/objects.ts'
import type { Charge } from '../../stack/stripe-sandbox/src/shapes/charges.ts'
import type { Dispute } from '../../stack/stripe-sandbox/src/shapes/disputes.ts'
import type { Intent } from '../../stack/stripe-sandbox/src/shapes/intents.ts'
import type { Refund } from '../../stack/stripe-sandbox/src/shapes/refunds.ts'
import type { Session } from '../../stack/stripe-sandbox/src/shapes/sessions.ts'
import { openStore } from '../../stack/stripe-sandbox/src/store.ts'
import { type Deps, noCause } from '../../stack/stripe-sandbox/src/use-cases/deps.ts'
import { createDispute, endDispute } from '../../stack/stripe-sandbox/src/use-cases/disputes.ts'
import { cancelPayment, capturePayment } from '../../stack/stripe-sandbox/src/use-cases/payments.ts'
import { createRefund, endRefund } from '../../stack/stripe-sandbox/src/use-cases/refunds.ts'
import {
  expireDueSessions,
  expireSession,
} from '../../stack/stripe-sandbox/src/use-cases/sessions.ts'
import { listTasks, runTask } from '../../stack/stripe-sandbox/src/use-cases/tasks.ts'
import { signWebhook } from '../../stack/stripe-sandbox/src/webhooks/signature.ts'
import type { Clock } from './clock.ts'

export const apiKey = 'sk_test_0123456789abcdef'
export const webhookSecret = 'whsec_0123456789abcdef'

export type ProviderEvent = { id: string; type: string; body: string }
/** All that the provider has of one session. */
export type Books = {
  session: Session
  intent: Intent | null
  charges: Charge[]
  refunds: Refund[]
  disputes: Dispute[]
}

export type ProviderModel = Awaited<ReturnType<typeof openProvider>>

/** The sandbox itself, without timers and deliveries of its own: a test says what happens when. */
export async function openProvider(clock: Clock, subscribed: readonly string[]) {
  const types = new Set(subscribed)
  const state = { deps: newDeps() }
  const faults = createFaults()

  function newDeps(): Deps {
    return {
      store: openStore(undefined, () => undefined),
      clock: clock.now,
      mint: mintId,
      publicUrl: () => 'http://pay.example',
      minimumSessionSeconds: 1_800,
      paymentMethods: defaultPaymentMethods,
      bankDelayMs: 86_400_000,
      authorizationMs: 7 * 86_400_000,
      isSubscribed: (type) => types.has(type),
      wakeWebhooks: () => undefined,
      wakeTasks: () => undefined,
    }
  }
  // The server reads its parts at each request, so that they can be replaced by fresh ones.
  const edge = {
    get deps() {
      return state.deps
    },
    get idempotency() {
      return idempotency
    },
    apiKey,
    faults,
    webhooks: never,
    tasks: never,
    signWith: never,
    logger: { error: (fields: object, message: string) => console.error(message, fields) },
  }
  let idempotency = createIdempotency(state.deps.store, clock.now)
  const server = createServer(edge as unknown as Parameters<typeof createServer>[0])
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0

  const events = (condition: string) =>
    state.deps.store.all<ProviderEvent>(
      `SELECT id, type, body FROM events WHERE ${condition} ORDER BY seq`,
    )

  return {
    url: `http://127.0.0.1:${port}`,
    faults,
    reset() {
      state.deps.store.close()
      state.deps = newDeps()
      idempotency = createIdempotency(state.deps.store, clock.now)
      faults.clear()
    },
    waiting: () => events(`state = 'waiting'`),
    delivered: () => events(`state = 'delivered'`),
    mark(eventId: string, as: 'delivered' | 'failed') {
      state.deps.store.write(
        'UPDATE events SET state = ?, next_at = NULL WHERE id = ?',
        as,
        eventId,
      )
    },
    // The receiver compares with the real time.
    sign: (body: string) => signWebhook(body, [webhookSecret], Math.floor(Date.now() / 1_000)),
    submit: (sessionId: string, fields: Record<string, string>) =>
      submitPage(state.deps, sessionId, new URLSearchParams(fields).toString()),
    /** What people do in the dashboard; false when it is not possible. */
    act: (action: (dashboard: Dashboard) => unknown) =>
      attempt(() => action(dashboardOf(state.deps))),
    /** What banks say, of those kinds. */
    runTasks(kinds: readonly Task['kind'][] = taskKinds, dueBefore = Number.MAX_SAFE_INTEGER) {
      const tasks = listTasks(state.deps, { dueBefore, kinds, limit: 100 })
      for (const task of tasks) runTask(state.deps, task)
      return tasks.length
    },
    expireDue: () => expireDueSessions(state.deps, 100),
    books: () =>
      state.deps.store
        .all<{ body: string }>(
          `SELECT body FROM objects WHERE kind = 'checkout.session' ORDER BY seq`,
        )
        .map(({ body }) => booksOf(state.deps, JSON.parse(body) as Session)),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      state.deps.store.close()
    },
  }
}

const never = () => {
  throw new Error('This is not a part of the model.')
}

type Dashboard = ReturnType<typeof dashboardOf>

function dashboardOf(deps: Deps) {
  const all = { chargeId: undefined }
  return {
    refund: (
      intentId: string,
      amount: number | undefined,
      ending: 'succeeded' | 'pending' | 'fail',
    ) =>
      createRefund(
        deps,
        { ...all, intentId, amount, reason: undefined, metadata: {}, ending },
        noCause,
      ),
    endRefund: (refundId: string, outcome: 'succeeded' | 'failed') =>
      endRefund(deps, { refundId, outcome }, noCause),
    capture: (intentId: string, amount: number | undefined) =>
      capturePayment(deps, { intentId, amount }, noCause),
    cancel: (intentId: string) => cancelPayment(deps, { intentId, reason: undefined }, noCause),
    dispute: (intentId: string, isInquiry: boolean, amount: number | undefined) =>
      createDispute(deps, { ...all, intentId, amount, reason: 'fraudulent', isInquiry }, noCause),
    endDispute: (disputeId: string, outcome: 'won' | 'lost') =>
      endDispute(deps, { disputeId, outcome }, noCause),
    expire: (sessionId: string) => expireSession(deps, sessionId, noCause),
  }
}

function attempt(action: () => unknown): boolean {
  try {
    action()
    return true
  } catch (error) {
    if (error instanceof ApiError) return false
    throw error
  }
}

function booksOf({ store }: Deps, session: Session): Books {
  const id = typeof session.payment_intent === 'string' ? session.payment_intent : null
  if (id === null) return { session, intent: null, charges: [], refunds: [], disputes: [] }
  const row = store.get<{ body: string }>('SELECT body FROM objects WHERE id = ?', id)
  return {
    session,
    intent: row ? (JSON.parse(row.body) as Intent) : null,
    charges: listOfIntent<Charge>(store, 'charge', id),
    refunds: listOfIntent<Refund>(store, 'refund', id),
    disputes: listOfIntent<Dispute>(store, 'dispute', id),
  }
}
