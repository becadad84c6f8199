import assert from 'node:assert/strict'
import { createDatabase, sql } from '@halles/kit/database'
import { silentLogger } from '@halles/kit/testing'
import { createOrderStore } from '../../services/orders/src/store/orders.ts'
import { createUnfinishedStore } from '../../services/orders/src/store/unfinished.ts'
import { createFindingStore } from '../../services/payments/src/store/findings.ts'
import { createPaymentStore } from '../../services/payments/src/store/payments.ts'
import type { Charge } from '../../stack/stripe-sandbox/src/shapes/charges.ts'
import type { Dispute } from '../../stack/stripe-sandbox/src/shapes/disputes.ts'
import type { Intent } from '../../stack/stripe-sandbox/src/shapes/intents.ts'
import type { Refund } from '../../stack/stripe-sandbox/src/shapes/refunds.ts'
import type { Session } from '../../stack/stripe-sandbox/src/shapes/sessions.ts'
import type { StackUnderTest } from '../e2e/stack-under-test.ts'
import type { Books } from './provider.ts'

/** The databases of a running stack, as nobody but a test may look at them. */
export function openDatabases(stack: StackUnderTest) {
  const { postgresPassword } = stack.readJson('secrets.json') as { postgresPassword: string }
  const [postgres] = stack.processes('postgres')
  const open = (name: string) =>
    createDatabase({
      url: `postgres://halles:${postgresPassword}@127.0.0.1:${postgres?.ports.postgres}/${name}`,
      logger: silentLogger(),
      applicationName: 'money',
      poolSize: 2,
    })
  const [orders, payments, products] = [open('orders'), open('payments'), open('products')]
  return {
    orders: createOrderStore(orders),
    unfinished: createUnfinishedStore(orders),
    payments: createPaymentStore(payments),
    findings: createFindingStore(payments),
    /** Every checkout that there ever was. */
    checkouts: () =>
      orders.query<{ orderId: string; state: string }>(
        sql('money.all_checkouts', 'select order_id as "orderId", state from checkouts'),
      ),
    stock: (variantIds: readonly string[]) =>
      products.query<{ id: string; onHand: number; reserved: number }>(
        sql(
          'money.stock_of',
          'select id, on_hand as "onHand", reserved from variants where id = any ($1::uuid[])',
        ),
        [variantIds],
      ),
    /** Messages that orders has not sent yet. */
    unsent: async () => {
      const statement = sql('money.unsent', 'select count(*)::int as count from outbox')
      return (await orders.query<{ count: number }>(statement))[0]?.count ?? 0
    },
    close: () => Promise.all([orders, payments, products].map((each) => each.close())),
  }
}

export type StackProvider = ReturnType<typeof openSandbox>

/** The sandbox of a running stack: its API and what it has for tests. */
export function openSandbox(stack: StackUnderTest) {
  const { stripeApiKey } = stack.readJson('secrets.json') as { stripeApiKey: string }
  const [sandbox] = stack.processes('stripe-sandbox')
  const base = `http://127.0.0.1:${sandbox?.ports.http}`

  async function ask<T>(method: string, path: string, form?: Record<string, string>): Promise<T> {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { authorization: `Bearer ${stripeApiKey}` },
      ...(form ? { body: new URLSearchParams(form) } : {}),
      signal: AbortSignal.timeout(20_000),
    })
    const text = await response.text()
    assert.equal(response.status, 200, `${method} ${path}: ${text}`)
    return JSON.parse(text) as T
  }

  async function all<T extends { id: string }>(path: string): Promise<T[]> {
    const found: T[] = []
    for (;;) {
      const after = found.at(-1)?.id
      const query = `limit=100${after ? `&starting_after=${after}` : ''}`
      type Page = { data: T[]; has_more: boolean }
      const { data, has_more: hasMore } = await ask<Page>('GET', `/v1/${path}?${query}`)
      found.push(...data)
      if (!hasMore) return found
    }
  }

  return {
    fault: (form: Record<string, string>) => ask('POST', '/_sandbox/faults', form),
    healFaults: () => ask('DELETE', '/_sandbox/faults'),
    runTasks: () => ask<{ ran: number }>('POST', '/_sandbox/tasks/run'),
    dispute: (intentId: string) =>
      ask('POST', '/_sandbox/dashboard/disputes', { payment_intent: intentId }),
    state: () =>
      ask<{ deliveries: Record<string, number>; tasks: number; inFlight: number }>(
        'GET',
        '/_sandbox/state',
      ),
    ledger: async () =>
      (
        await ask<{
          ledger: { captured: number; refunded: number; net: number; charges: number }[]
        }>('GET', '/_sandbox/ledger')
      ).ledger,
    resendFailed: async () => {
      type Given = { deliveries: { eventId: string }[] }
      const path = '/_sandbox/deliveries?state=failed&limit=1000'
      const { deliveries } = await ask<Given>('GET', path)
      for (const { eventId } of deliveries)
        await ask('POST', `/_sandbox/deliveries/${eventId}/resend`)
      return deliveries.length
    },
    /** All sessions with all that belongs to them. */
    async books(): Promise<Books[]> {
      const [sessions, intents, charges, refunds, disputes] = await Promise.all([
        all<Session>('checkout/sessions'),
        all<Intent>('payment_intents'),
        all<Charge>('charges'),
        all<Refund>('refunds'),
        all<Dispute>('disputes'),
      ])
      const intentOf = new Map(intents.map((intent) => [intent.id, intent]))
      // Lists are newest first.
      const own = <T extends { payment_intent: unknown }>(items: readonly T[]) =>
        Map.groupBy(items.toReversed(), ({ payment_intent: id }) => id)
      const [chargesOf, refundsOf, disputesOf] = [own(charges), own(refunds), own(disputes)]
      return sessions.map((session) => {
        const id = session.payment_intent
        return {
          session,
          intent: (typeof id === 'string' && intentOf.get(id)) || null,
          charges: id === null ? [] : (chargesOf.get(id) ?? []),
          refunds: id === null ? [] : (refundsOf.get(id) ?? []),
          disputes: id === null ? [] : (disputesOf.get(id) ?? []),
        }
      })
    },
  }
}
