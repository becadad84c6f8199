import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '@halles/kit/errors'
import { cancel, requestCancellation, requestExpiry } from '../../src/domain/cancel.ts'
import { deliver, fulfil } from '../../src/domain/fulfil.ts'
import { type Command, move, newsOf, transitions } from '../../src/domain/life-cycle.ts'
import { isVisibleTo, type Order, type OrderStatus } from '../../src/domain/order.ts'
import type { PaymentPhase, Refund } from '../../src/domain/payment.ts'
import { requestRefund } from '../../src/domain/refund.ts'
import { settle } from '../../src/domain/settle.ts'
import { aLine, anOrder, aState, at, gbp, moment } from '../fixtures.ts'

const line = aLine(gbp(1_250), 2)
const { variantId } = line
const pieces = (quantity: number) => [{ variantId, quantity }]
const cancellation = { requestedAt: at, reason: null }
const later = new Date(at.getTime() + 24 * 3_600_000)

function order(status: OrderStatus, phase: PaymentPhase, changes: Partial<Order> = {}): Order {
  const base = anOrder({ lines: [line] })
  const capturedMinor = phase === 'captured' ? 2_500 : 0
  return { ...base, status, payment: { ...base.payment, phase, capturedMinor }, ...changes }
}
const sent = (quantity: number, deliveredAt: Date | null = null, id = 'f1') => [
  { id, lines: pieces(quantity), carrier: null, trackingNumber: null, at, deliveredAt },
]
const aRefund = (changes: Partial<Refund>): Refund => ({
  id: 'r1',
  isOurs: true,
  status: 'succeeded',
  amountMinor: 1_250,
  lines: pieces(1),
  isReturned: false,
  reason: null,
  at,
  unsent: [],
  restocked: [],
  problem: null,
  ...changes,
})
const all = aRefund({ amountMinor: 2_500, lines: [] })

/** Orders in each status, of every kind that matters to what comes next. */
const orders: Record<OrderStatus, Order[]> = {
  pending_payment: [
    order('pending_payment', 'open'),
    order('pending_payment', 'processing'),
    order('pending_payment', 'open', { cancellation }),
  ],
  paid: [
    order('paid', 'captured'),
    order('paid', 'authorized'),
    order('paid', 'captured', { cancellation }),
    order('paid', 'authorized', { cancellation }),
  ],
  partly_fulfilled: [
    order('partly_fulfilled', 'captured', { fulfilments: sent(1) }),
    order('partly_fulfilled', 'captured', { fulfilments: sent(1, at) }),
    order('partly_fulfilled', 'captured', {
      lines: [{ ...line, quantity: 3 }],
      fulfilments: sent(1),
    }),
    order('partly_fulfilled', 'captured', {
      fulfilments: sent(1),
      refunds: [aRefund({ status: 'failed' })],
    }),
    order('partly_fulfilled', 'captured', {
      fulfilments: sent(1, at),
      refunds: [aRefund({ status: 'failed' })],
    }),
  ],
  fulfilled: [
    order('fulfilled', 'captured', { fulfilments: sent(2) }),
    order('fulfilled', 'captured', { fulfilments: [...sent(1), ...sent(1, null, 'f0')] }),
    order('fulfilled', 'captured', { fulfilments: sent(1), refunds: [aRefund({})] }),
  ],
  delivered: [
    order('delivered', 'captured', { fulfilments: sent(2, at) }),
    order('delivered', 'captured', { fulfilments: sent(1, at), refunds: [aRefund({})] }),
  ],
  cancelled: [order('cancelled', 'ended'), order('cancelled', 'captured', { cancellation })],
  refunded: [
    order('refunded', 'captured', { refunds: [all] }),
    order('refunded', 'captured', { refunds: [all], fulfilments: sent(1) }),
    order('refunded', 'captured', { refunds: [all], fulfilments: sent(2) }),
    order('refunded', 'captured', { refunds: [all], fulfilments: sent(2, at) }),
  ],
}

const news = (told: Order, phase: PaymentPhase, refund?: { amountMinor: number; phase: string }) =>
  settle(
    told,
    aState(told, {
      phase,
      refunds: refund
        ? [{ id: 'r1', isOurs: true, ...refund, phase: refund.phase as 'failed' }]
        : [],
    }),
    moment(),
  ).order

const conclude = (requested: Order) =>
  requested.cancellation ? cancel(requested, moment()).order : requested

/** Everything that does the command to an order. */
const doings: Record<Command, ((order: Order) => Order)[]> = {
  waits: [(it) => news(it, 'open'), (it) => news(it, 'processing')],
  secured: [
    (it) => news(it, 'captured'),
    (it) => news(it, 'authorized'),
    (it) => news(it, 'captured', { amountMinor: 1_250, phase: 'succeeded' }),
    (it) => news(it, 'captured', { amountMinor: 2_500, phase: 'failed' }),
    (it) => news(it, 'captured', { amountMinor: 1_250, phase: 'failed' }),
  ],
  ended: [(it) => news(it, 'ended')],
  returned: [(it) => news(it, 'captured', { amountMinor: 2_500, phase: 'succeeded' })],
  cancel: [(it) => cancel(requestCancellation(it, null, moment()).order, moment()).order],
  expire: [
    (it) => conclude(requestExpiry({ ...it, cancellation: null }, moment({ at: later })).order),
  ],
  fulfil: [1, 2].map(
    (quantity) => (it) =>
      fulfil(
        it,
        { id: 'f2', lines: pieces(quantity), carrier: null, trackingNumber: null },
        moment(),
      ).order,
  ),
  deliver: [(it) => deliver(it, 'f1', moment()).order],
  refund: [
    { lines: pieces(1), amount: undefined },
    { lines: [], amount: gbp(100) },
  ].map(
    (asked) => (it) =>
      requestRefund(it, { id: 'r2', isReturned: false, reason: null, ...asked }, moment()).order,
  ),
}

const isMoney = (command: Command) => ['waits', 'secured', 'ended', 'returned'].includes(command)

for (const status of Object.keys(transitions) as OrderStatus[]) {
  for (const [command, cell] of Object.entries(transitions[status]) as [
    Command,
    readonly OrderStatus[] | string,
  ][]) {
    const title =
      typeof cell === 'string' ? `is refused with ${cell}` : `leads to ${cell.join(' or ')}`
    test(`${command} on an order that is ${status} ${title}`, () => {
      const ends = new Set<string>()
      for (const before of orders[status]) {
        if (isMoney(command)) ends.add(move(before, command).status)
        for (const doing of doings[command]) {
          try {
            const after = doing(before)
            // What is known of the money outweighs what is said of it.
            if (!isMoney(command) || newsOf(after) === command) ends.add(after.status)
          } catch (error) {
            assert.ok(error instanceof AppError, String(error))
            if (typeof cell === 'string') ends.add(error.code)
          }
        }
      }
      assert.deepEqual([...ends].sort(), typeof cell === 'string' ? [cell] : [...cell].sort())
    })
  }
}

test('an order is seen by its customer and by who holds its token, by nobody else', () => {
  const guest = anOrder()
  const customer = anOrder({ customerId: anOrder().id })
  const subjectId = customer.customerId ?? ''
  assert.ok(isVisibleTo(customer, { subjectId }))
  assert.ok(!isVisibleTo(guest, { subjectId }))
  assert.ok(isVisibleTo(guest, { subjectId: guest.id, orderId: guest.id }))
  assert.ok(!isVisibleTo(customer, { subjectId, orderId: guest.id }))
})
