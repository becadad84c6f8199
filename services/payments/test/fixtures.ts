import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import { createBankTransfer } from '../src/bank-transfer.ts'
import type { Notice, ProviderEvent, Settlement } from '../src/domain/events.ts'
import type { Payment, Snapshot, Terms } from '../src/domain/payment.ts'
import { openState, type Refund, returnableMinor, type State } from '../src/domain/state.ts'
import type {
  Deps,
  EventStore,
  FindingStore,
  NotifyingProvider,
  Orders,
  PaymentStore,
  References,
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

type ModelPayment = {
  id: string
  url: string
  orderId: string
  paymentId: string
  amount: Snapshot['amount']
  intentId: string | null
  state: State
  createdAt: Date
}

const refused = () => new AppError('unprocessable', 'PROVIDER_REFUSED', 'Not with this payment.')
const missing = () => new AppError('not-found', 'PROVIDER_PAYMENT_MISSING', 'Unknown.')

/** A provider in memory: one session for each order, one refund for each key, as the real one. */
export function fakeProvider() {
  const sessions = new Map<string, ModelPayment>()
  const calls: string[] = []

  const find = ({ sessionId }: Pick<References, 'sessionId'>) => {
    const found = [...sessions.values()].find(({ id }) => id === sessionId)
    if (!found) throw missing()
    return found
  }
  const ofOrder = (orderId: string) => {
    const found = sessions.get(orderId)
    if (!found) throw new Error('There is no session of this order.')
    return found
  }
  const toSnapshot = ({ state, amount, intentId }: ModelPayment): Snapshot => ({
    state,
    amount,
    intentId,
  })
  const change = (payment: ModelPayment, changes: Partial<State>) => {
    payment.state = { ...payment.state, ...changes }
    return toSnapshot(payment)
  }

  const provider: NotifyingProvider = {
    async createSession({ id: paymentId, orderId, terms: { amount } }) {
      calls.push('create')
      const known = sessions.get(orderId)
      if (known) return { id: known.id, url: known.url }
      const id = `cs_${uuidv7()}`
      const url = `https://pay.example/${id}`
      const made = { id, url, orderId, paymentId, amount, intentId: null, state: openState }
      sessions.set(orderId, { ...made, createdAt: new Date() })
      return { id, url }
    },
    async read(payment) {
      calls.push('read')
      return toSnapshot(find(payment))
    },
    async expire(payment) {
      calls.push('expire')
      const known = find(payment)
      return known.state.phase === 'open' ? change(known, { phase: 'ended' }) : toSnapshot(known)
    },
    async capture(payment, amountMinor) {
      calls.push('capture')
      const known = find(payment)
      return known.state.phase === 'authorized'
        ? change(known, { phase: 'captured', capturedMinor: amountMinor })
        : toSnapshot(known)
    },
    async release(payment) {
      calls.push('release')
      const known = find(payment)
      return known.state.phase === 'authorized'
        ? change(known, { phase: 'ended' })
        : toSnapshot(known)
    },
    async refund(payment, { id, amountMinor, reason }) {
      calls.push('refund')
      const known = find(payment)
      const made = known.state.refunds.find((refund) => refund.id === id)
      if (made) return made
      const isDisputed = known.state.disputes.some(({ phase }) => phase === 'open')
      if (isDisputed || returnableMinor(known.state) < amountMinor) throw refused()
      const providerId = `re_${uuidv7()}`
      const refund: Refund = { id, providerId, amountMinor, phase: 'succeeded', reason }
      change(known, { refunds: [...known.state.refunds, refund] })
      return refund
    },
    async listPayments({ from, to }) {
      calls.push('list')
      const items = [...sessions.values()]
        .filter(({ createdAt }) => createdAt >= from && createdAt < to)
        .map((each) => ({
          paymentId: each.paymentId,
          orderId: each.orderId,
          sessionId: each.id,
          snapshot: toSnapshot(each),
        }))
      return { items, next: null }
    },
    listMissedEvents: async () => ({ items: [], next: null }),
    verifyEvent: (rawBody) => JSON.parse(rawBody.toString()) as ProviderEvent,
    readEvent: (payload) => JSON.parse(payload) as ProviderEvent,
    identify: async (intentId) =>
      [...sessions.values()].find((each) => each.intentId === intentId)?.paymentId ?? null,
  }

  return {
    provider,
    sessions,
    calls,
    /** What the shopper, the bank or somebody in the provider's dashboard does. */
    happen: (orderId: string, changes: Partial<State>) => {
      const known = ofOrder(orderId)
      known.intentId ??= `pi_${uuidv7()}`
      return change(known, changes)
    },
    pay: (orderId: string) => {
      const known = ofOrder(orderId)
      known.intentId ??= `pi_${uuidv7()}`
      return change(known, { phase: 'captured', capturedMinor: known.amount?.amountMinor ?? 0 })
    },
    stateOf: (orderId: string) => ofOrder(orderId).state,
    intentOf: (orderId: string) => ofOrder(orderId).intentId,
    lose: (orderId: string) => sessions.delete(orderId),
  }
}

/** The answer of an order that is dead: its money has to go back as long as it is there. */
export function deadOrder({ state }: Payment): Settlement {
  const isHeld = state.phase === 'authorized' || returnableMinor(state) > 0
  return isHeld ? 'refund-due' : 'duplicate'
}

/** Orders that answers what the test says; each call is kept. */
export function fakeOrders(answer: (payment: Payment) => Settlement | AppError = () => 'applied') {
  const settled: { payment: Payment; cause: string }[] = []
  const orders: Orders = {
    async settlePayment(payment, cause) {
      settled.push({ payment, cause })
      const told = answer(payment)
      if (told instanceof AppError) throw told
      return told
    },
  }
  return { orders, settled }
}

export function testDeps(
  stores: { payments: PaymentStore; events: EventStore; findings: FindingStore },
  ports: { provider: NotifyingProvider; orders: Orders },
): Deps {
  const ignore = () => undefined
  return {
    ...stores,
    orders: ports.orders,
    providers: {
      stripe: ports.provider,
      'bank-transfer': createBankTransfer({ publicUrl: 'https://shop.example' }),
    },
    captureMethod: 'automatic',
    clock: () => new Date(),
    newId: uuidv7,
    log: { info: ignore, warn: ignore, error: ignore },
  }
}

export function anEvent(changes: Partial<Notice> = {}): ProviderEvent & { notice: Notice } {
  const notice: Notice = {
    orderId: null,
    paymentId: null,
    sessionId: null,
    intentId: null,
    seen: null,
    ...changes,
  }
  const event = { id: `evt_${uuidv7()}`, type: 'some.type', notice }
  return { ...event, payload: JSON.stringify({ ...event, payload: '' }) }
}

export const delivered = (event: ProviderEvent) => ({
  rawBody: Buffer.from(JSON.stringify(event)),
  signature: 'checked by the fake',
})
