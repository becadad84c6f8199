import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { checkCart, checkResumable, checkTotal, payableUntil } from '../src/domain/checkout.ts'
import {
  cancel,
  isVisibleTo,
  nextStatuses,
  type Order,
  type OrderStatus,
  place,
  requestCancellation,
  requestExpiry,
  settle,
} from '../src/domain/order.ts'
import { aLine, anOrder, at, gbp, moment } from './fixtures.ts'

const paid = (order: Order, changes = {}) => ({
  paymentId: order.payment.id,
  outcome: 'paid' as const,
  amount: order.total,
  ...changes,
})
const expired = (order: Order) => ({ ...paid(order), outcome: 'expired' as const, amount: gbp(0) })
const types = (decision: { messages: readonly { message: { type: string } }[] }) =>
  decision.messages.map(({ message }) => message.type.replace(/^halles\.orders\.|\.v1$/g, ''))

const statuses = Object.keys(nextStatuses) as OrderStatus[]

/** What each piece of news does to an order in each status. */
const settlements: Record<OrderStatus, { paid: string; expired: string }> = {
  pending_payment: { paid: 'applied → paid', expired: 'applied → cancelled' },
  paid: { paid: 'duplicate → paid', expired: 'duplicate → paid' },
  fulfilled: { paid: 'duplicate → fulfilled', expired: 'duplicate → fulfilled' },
  delivered: { paid: 'duplicate → delivered', expired: 'duplicate → delivered' },
  cancelled: { paid: 'refund-due → cancelled', expired: 'duplicate → cancelled' },
  refunded: { paid: 'duplicate → refunded', expired: 'duplicate → refunded' },
}

for (const status of statuses) {
  test(`news of its payment reach an order that is ${status} as the table says`, () => {
    const order = anOrder({ status })
    for (const [outcome, notice] of [
      ['paid', paid(order)],
      ['expired', expired(order)],
    ] as const) {
      const decision = settle(order, notice, moment())
      assert.equal(`${decision.outcome} → ${decision.order.status}`, settlements[status][outcome])
      const isStep = decision.order.status !== status
      assert.equal(decision.messages.length, isStep ? 1 : 0)
      if (isStep) assert.ok(nextStatuses[status].includes(decision.order.status))
    }
  })

  test(`an order that is ${status} ${nextStatuses[status].includes('cancelled') ? 'can' : status === 'cancelled' ? 'stays so when it is' : 'cannot'} be cancelled`, () => {
    const order = anOrder({ status })
    if (status === 'cancelled') {
      assert.equal(requestCancellation(order, null, at).order, order)
      assert.equal(cancel(order, 'cancelled', moment()).order, order)
    } else if (nextStatuses[status].includes('cancelled')) {
      const requested = requestCancellation(order, 'late', at).order
      assert.deepEqual(requested.cancellation, { requestedAt: at, reason: 'late' })
      const decision = cancel(requested, 'cancelled', moment())
      assert.equal(decision.order.status, 'cancelled')
      assert.deepEqual(types(decision), ['order-cancelled'])
    } else {
      const refused = { code: 'ORDER_NOT_CANCELLABLE' }
      assert.throws(() => requestCancellation(order, null, at), refused)
      assert.throws(() => cancel(order, 'cancelled', moment()), refused)
    }
  })
}

test('a placed order waits for its payment and tells its state without personal data', () => {
  const { status: _status, version: _version, ...draft } = anOrder()
  const { order, messages } = place(draft, moment())
  assert.equal(order.status, 'pending_payment')
  assert.equal(order.version, 1)
  assert.equal(messages[0]?.message.partitionkey, order.id)
  assert.doesNotMatch(JSON.stringify(messages), /ada|Lovelace|Square/i)
})

test('a payment of another amount, currency or id is not taken for the order’s', () => {
  const order = anOrder()
  const others = [
    paid(order, { amount: gbp(2_499) }),
    paid(order, { amount: { amountMinor: 2_500, currency: 'EUR' } }),
    paid(order, { paymentId: anOrder().payment.id }),
    { ...expired(order), paymentId: anOrder().payment.id },
  ]
  for (const notice of others) {
    assert.throws(() => settle(order, notice, moment()), { code: 'PAYMENT_MISMATCH' })
  }
})

test('money that comes after a cancellation was asked for goes back, and the order ends cancelled', () => {
  const { order } = requestCancellation(anOrder(), null, at)
  const decision = settle(order, paid(order), moment())
  assert.equal(decision.outcome, 'refund-due')
  assert.equal(decision.order.status, 'cancelled')
  assert.equal(decision.order.payment.status, 'refunded')
  assert.deepEqual(types(decision), ['order-cancelled'])
})

test('an order expires only when it is unpaid and its time is over', () => {
  const order = anOrder()
  const later = new Date(order.payment.expiresAt.getTime() + 1)
  assert.equal(requestExpiry(order, at).order, order)
  assert.notEqual(requestExpiry(order, later).order.cancellation, null)
  const paidOrder = anOrder({ status: 'paid' })
  assert.equal(requestExpiry(paidOrder, later).order, paidOrder)
})

test('an order is seen by its customer and by who holds its token, by nobody else', () => {
  const guest = anOrder()
  const customer = anOrder({ customerId: anOrder().id })
  const subjectId = customer.customerId ?? ''
  assert.ok(isVisibleTo(customer, { subjectId }))
  assert.ok(!isVisibleTo(guest, { subjectId }))
  assert.ok(isVisibleTo(guest, { subjectId: guest.id, orderId: guest.id }))
  assert.ok(!isVisibleTo(customer, { subjectId, orderId: guest.id }))
})

test('the total is the server’s: a stale one is refused with the difference by line', () => {
  const line = aLine(gbp(1_300))
  const inCart = [{ variantId: line.variantId, quantity: 2, unitPrice: gbp(1_250) }]
  assert.deepEqual(checkTotal([line], inCart, gbp(2_600)), gbp(2_600))
  assert.throws(() => checkTotal([line], inCart, gbp(2_500)), {
    code: 'PRICE_CHANGED',
    details: {
      expectedTotal: gbp(2_500),
      actualTotal: gbp(2_600),
      lines: [
        {
          variantId: line.variantId,
          title: 'Lamp',
          quantity: 2,
          unitPriceInCart: gbp(1_250),
          unitPrice: gbp(1_300),
        },
      ],
    },
  })
  const euros = { amountMinor: 2_600, currency: 'EUR' }
  assert.throws(() => checkTotal([line], inCart, euros), {
    code: 'CURRENCY_MISMATCH',
    errors: [
      { pointer: '/body/expectedTotal/currency', detail: 'is not the currency of the cart' },
    ],
  })
  assert.throws(() => checkCart([]), { code: 'CART_EMPTY' })
})

test('a checkout that can still be taken up leaves the provider its thirty minutes', () => {
  const minute = 60_000
  const resumedAt = new Date(at.getTime() + 4 * minute)
  assert.doesNotThrow(() => checkResumable(at, resumedAt))
  assert.ok(payableUntil(at).getTime() - resumedAt.getTime() > 30 * minute)
  const tooLate = new Date(resumedAt.getTime() + 1)
  assert.throws(() => checkResumable(at, tooLate), { code: 'CHECKOUT_ABANDONED' })
})

test('in any order of news and cancellations, money is kept for a paid order only, and once', () => {
  const step = fc.constantFrom('paid', 'expired', 'request', 'cancel', 'expire')
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let order = anOrder()
      const told: string[] = []
      let kept = false
      let isTaken = false
      for (const each of steps) {
        const before = order
        if (each === 'cancel' && !order.cancellation) continue
        if (each === 'request' && !nextStatuses[order.status].includes('cancelled')) continue
        if (each === 'paid') {
          const decision = settle(order, paid(order), moment())
          isTaken = true
          if (decision.outcome === 'applied') kept = true
          // Whoever is told so returns the money; a duplicate of kept money stays kept.
          if (decision.outcome === 'refund-due') kept = false
          ;({ order } = decision)
          told.push(...types(decision))
        } else {
          const decision =
            each === 'expired'
              ? settle(order, expired(order), moment())
              : each === 'request'
                ? requestCancellation(order, null, at)
                : each === 'expire'
                  ? requestExpiry(order, new Date(at.getTime() + 120_000))
                  : cancel(order, isTaken ? 'refunded' : 'cancelled', moment())
          if (each === 'cancel') kept = false
          ;({ order } = decision)
          told.push(...types(decision))
        }
        assert.ok(order === before || order.version >= before.version)
      }
      assert.equal(kept, order.status === 'paid')
      assert.ok(told.filter((type) => type === 'order-paid').length <= 1)
      assert.ok(told.filter((type) => type === 'order-cancelled').length <= 1)
      assert.equal(told.at(-1) === 'order-cancelled', order.status === 'cancelled')
    }),
    { numRuns: 2_000 },
  )
})
