import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import type { PaymentNotice, ProviderEvent, Settlement, Terms } from '../src/domain.ts'
import type {
  Deps,
  EventStore,
  Orders,
  PaymentStore,
  Provider,
  SessionState,
} from '../src/ports.ts'

export const gbp = (amountMinor: number) => ({ amountMinor, currency: 'GBP' })

export function someTerms(changes: Partial<Terms> = {}): Terms {
  return {
    email: 'ada@example.org',
    lines: [{ title: 'Lamp', quantity: 2, unitAmountMinor: 1_250 }],
    amount: gbp(2_500),
    expiresAt: new Date(Date.now() + 35 * 60_000),
    ...changes,
  }
}

/** A provider in memory: one session and one refund for each key, as the real one answers. */
export function fakeProvider() {
  const sessions = new Map<string, { id: string; url: string; state: SessionState }>()
  const refunds = new Map<string, string>()
  const calls: string[] = []
  const stateOf = (sessionId: string) => {
    const found = [...sessions.values()].find(({ id }) => id === sessionId)
    if (!found) throw new Error('There is no such session.')
    return found
  }
  const provider: Provider = {
    async createSession({ orderId }) {
      calls.push('create')
      const known = sessions.get(orderId)
      const id = `cs_${uuidv7()}`
      const session = known ?? { id, url: `https://pay.example/${id}`, state: { status: 'open' } }
      sessions.set(orderId, session)
      return { id: session.id, url: session.url }
    },
    async expireSession(sessionId) {
      calls.push('expire')
      const session = stateOf(sessionId)
      if (session.state.status === 'open') session.state = { status: 'expired' }
      return session.state
    },
    retrieveSession: async (sessionId) => stateOf(sessionId).state,
    async refund({ id }) {
      calls.push('refund')
      const refundId = refunds.get(id) ?? `re_${uuidv7()}`
      refunds.set(id, refundId)
      return refundId
    },
    verifyEvent(rawBody) {
      return JSON.parse(rawBody.toString()) as ProviderEvent
    },
  }
  const pay = (orderId: string) => {
    const session = sessions.get(orderId)
    if (session) session.state = { status: 'complete', isPaid: true, chargeReference: 'pi_1' }
  }
  return { provider, sessions, refunds, calls, pay }
}

/** Orders that answers what the test says; each call is kept. */
export function fakeOrders(answer: () => Settlement | AppError = () => 'applied') {
  const settled: (PaymentNotice & { providerEventId: string })[] = []
  const orders: Orders = {
    async settlePayment(notice) {
      settled.push(notice)
      const told = answer()
      if (told instanceof AppError) throw told
      return told
    },
  }
  return { orders, settled }
}

export function testDeps(
  stores: { payments: PaymentStore; events: EventStore },
  ports: Pick<Deps, 'provider' | 'orders'>,
): Deps {
  const log = { info: () => undefined, warn: () => undefined }
  return { ...stores, ...ports, newId: uuidv7, log }
}

export function anEvent(
  changes: Partial<PaymentNotice> = {},
): ProviderEvent & { notice: PaymentNotice } {
  const notice: PaymentNotice = {
    outcome: 'paid',
    orderId: uuidv7(),
    paymentId: uuidv7(),
    chargeReference: 'pi_1',
    amount: gbp(2_500),
    ...changes,
  }
  return { id: `evt_${uuidv7()}`, type: 'checkout.session.completed', payload: '{}', notice }
}

export const delivered = (event: ProviderEvent) => ({
  rawBody: Buffer.from(JSON.stringify(event)),
  signature: 'checked by the fake',
})
