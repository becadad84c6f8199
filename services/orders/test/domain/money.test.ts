import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import fc from 'fast-check'
import { cancel, requestCancellation, requestExpiry } from '../../src/domain/cancel.ts'
import { deliver, fulfil } from '../../src/domain/fulfil.ts'
import {
  fulfilledQuantity,
  refundedQuantity,
  shippable,
  transitions,
} from '../../src/domain/life-cycle.ts'
import {
  type Decision,
  type LineQuantity,
  type Order,
  type OrderStatus,
  place,
} from '../../src/domain/order.ts'
import {
  isCaptured,
  type PaymentState,
  paymentStatusOf,
  refundableMinor,
} from '../../src/domain/payment.ts'
import { refuseRefund, requestRefund } from '../../src/domain/refund.ts'
import { isRefundDue, settle } from '../../src/domain/settle.ts'
import { type Entry, replayTimeline, summarize } from '../../src/domain/timeline.ts'
import { aLine, anOrder, aState, at, gbp, moment } from '../fixtures.ts'

const types = (decision: { messages: readonly { message: { type: string } }[] }) =>
  decision.messages.map(({ message }) => message.type.replace(/^halles\.orders\.|\.v1$/g, ''))

const returnedBy = ({ messages }: Decision<unknown>) =>
  messages.flatMap(({ message }) => (message.data as { returned?: LineQuantity[] }).returned ?? [])

const aPaidOrder = (changes: Partial<Order> = {}) => {
  const order = anOrder(changes)
  return settle(order, aState(order, { phase: 'captured' }), moment()).order
}
const refundAsked = (changes: object = {}) => ({
  id: uuidv7(),
  lines: [],
  amount: undefined,
  isReturned: false,
  reason: null,
  ...changes,
})

test('a placed order waits for its payment and tells its state without personal data', () => {
  const { status: _status, version: _version, ...draft } = anOrder()
  const { order, messages, entries } = place(draft, moment())
  assert.deepEqual(
    [order.status, order.version, paymentStatusOf(order)],
    ['pending_payment', 1, 'pending'],
  )
  assert.equal(messages[0]?.message.partitionkey, order.id)
  assert.deepEqual(
    entries.map(({ what, seq }) => [what, seq]),
    [['placed', 1]],
  )
  assert.doesNotMatch(JSON.stringify([messages, entries]), /ada|Lovelace|Square/i)
})

test('a payment of another amount, currency or id is not taken for the order’s', () => {
  const order = anOrder()
  for (const other of [{ amountMinor: 2_499 }, { currency: 'EUR' }, { paymentId: uuidv7() }]) {
    for (const phase of ['captured', 'ended'] as const) {
      const state = aState(order, { phase, ...other })
      assert.throws(() => settle(order, state, moment()), { code: 'PAYMENT_MISMATCH' })
    }
  }
})

test('a state that is not newer than the known one changes nothing', () => {
  const order = aPaidOrder()
  for (const revision of [0, 1]) {
    const decision = settle(order, aState(order, { phase: 'ended', revision }), moment())
    assert.equal(decision.order, order)
    assert.equal(decision.outcome, 'duplicate')
  }
})

test('money that comes after a cancellation was asked for is due to go back until it has', () => {
  const { order } = requestCancellation(anOrder(), null, moment())
  const paid = settle(order, aState(order, { phase: 'captured' }), moment())
  assert.equal(paid.outcome, 'refund-due')
  assert.equal(paid.order.status, 'cancelled')
  assert.deepEqual(types(paid), ['order-cancelled'])
  assert.equal(
    settle(paid.order, aState(order, { phase: 'captured' }), moment()).outcome,
    'refund-due',
  )
  const refund = { id: uuidv7(), isOurs: false, amountMinor: 2_500, phase: 'failed' as const }
  const failed = aState(paid.order, { phase: 'captured', refunds: [refund] })
  assert.equal(settle(paid.order, failed, moment()).outcome, 'refund-due')
  const returned = { ...failed, refunds: [{ ...refund, phase: 'succeeded' as const }] }
  const done = settle(paid.order, returned, moment())
  assert.equal(done.outcome, 'applied')
  assert.deepEqual([done.order.status, paymentStatusOf(done.order)], ['cancelled', 'refunded'])
})

test('an order expires only when it is unpaid, its time is over and no money is on its way', () => {
  const order = anOrder()
  const later = moment({ at: new Date(order.payment.expiresAt.getTime() + 1) })
  assert.equal(requestExpiry(order, moment()).order, order)
  assert.notEqual(requestExpiry(order, later).order.cancellation, null)
  const waiting = settle(order, aState(order, { phase: 'processing' }), moment()).order
  assert.equal(paymentStatusOf(waiting), 'processing')
  assert.equal(requestExpiry(waiting, later).order, waiting)
  const paid = aPaidOrder()
  assert.equal(requestExpiry(paid, later).order, paid)
})

test('refunds never exceed what was captured, and one that fails can be made again', () => {
  const line = aLine(gbp(1_250), 2)
  const order = aPaidOrder({ lines: [line] })
  const piece = [{ variantId: line.variantId, quantity: 1 }]
  const first = refundAsked({ lines: piece })
  const one = requestRefund(order, first, moment()).order
  assert.equal(requestRefund(one, first, moment()).order, one)
  assert.throws(() => requestRefund(one, { ...first, amount: gbp(1) }, moment()), {
    code: 'IDEMPOTENCY_KEY_REUSED',
  })
  const tooMuch = refundAsked({ amount: gbp(1_251) })
  assert.throws(() => requestRefund(one, tooMuch, moment()), {
    code: 'REFUND_TOO_LARGE',
    details: { refundable: gbp(1_250) },
  })
  const tooMany = refundAsked({ lines: [{ ...piece[0], quantity: 2 }], amount: gbp(1) })
  assert.throws(() => requestRefund(one, tooMany, moment()), { code: 'REFUND_TOO_LARGE' })
  const unknown = refundAsked({ lines: [{ variantId: uuidv7(), quantity: 1 }] })
  assert.throws(() => requestRefund(one, unknown, moment()), { code: 'LINE_NOT_IN_ORDER' })
  const foreign = refundAsked({ amount: { amountMinor: 5, currency: 'EUR' } })
  assert.throws(() => requestRefund(one, foreign, moment()), { code: 'CURRENCY_MISMATCH' })
  assert.throws(() => requestRefund(one, refundAsked(), moment()), { code: 'INVALID_REQUEST' })
  const problem = { code: 'PROVIDER_REFUSED', message: 'No.' }
  const refused = refuseRefund(one, { refundId: first.id, problem }, moment()).order
  assert.equal(refundableMinor(refused), 2_500)
  assert.equal(requestRefund(refused, refundAsked({ lines: piece }), moment()).order.status, 'paid')
})

test('all money that went back makes the order refunded and its unsent pieces free, once', () => {
  const line = aLine(gbp(1_250), 3)
  const order = aPaidOrder({ lines: [line] })
  const { variantId } = line
  const sent = fulfil(
    order,
    { id: uuidv7(), lines: [{ variantId, quantity: 1 }], carrier: null, trackingNumber: null },
    moment(),
  ).order
  const refund = { id: uuidv7(), isOurs: false, amountMinor: 3_750, phase: 'succeeded' as const }
  const state = aState(sent, { phase: 'captured', refunds: [refund] })
  const done = settle(sent, state, moment())
  assert.equal(done.order.status, 'refunded')
  assert.deepEqual(types(done), ['order-refunded'])
  assert.deepEqual(returnedBy(done), [{ variantId, quantity: 2 }])
  const failed = { ...state, revision: 9, refunds: [{ ...refund, phase: 'failed' as const }] }
  const regained = settle(done.order, failed, moment())
  // What went back to the stock may be sold by now: it is not sent any more.
  assert.deepEqual([regained.order.status, shippable(regained.order)], ['fulfilled', []])
  assert.equal(refundableMinor(regained.order), 3_750)
  assert.deepEqual(types(regained), [])
})

test('pieces that came back are told to the stock when the money went back, not before', () => {
  const line = aLine(gbp(1_250), 2)
  const order = aPaidOrder({ lines: [line] })
  const asked = refundAsked({
    lines: [{ variantId: line.variantId, quantity: 1 }],
    isReturned: true,
  })
  const requested = requestRefund(order, asked, moment())
  assert.deepEqual(types(requested), [])
  const refund = { id: asked.id, isOurs: true, amountMinor: 1_250, phase: 'pending' as const }
  const pending = settle(
    requested.order,
    aState(order, { revision: 5, phase: 'captured', refunds: [refund] }),
    moment(),
  )
  assert.deepEqual(types(pending), [])
  const succeeded = { ...refund, phase: 'succeeded' as const }
  const done = settle(
    pending.order,
    aState(order, { revision: 6, phase: 'captured', refunds: [succeeded] }),
    moment(),
  )
  assert.deepEqual(returnedBy(done), asked.lines)
  assert.equal(paymentStatusOf(done.order), 'partly_refunded')
})

test('an open dispute stops fulfilment, refunds and cancellation; a lost one takes the money', () => {
  const order = aPaidOrder()
  const dispute = { id: 'du_1', amountMinor: 2_500, phase: 'open' as const }
  const disputed = settle(
    order,
    aState(order, { phase: 'captured', disputes: [dispute] }),
    moment(),
  ).order
  const lines = [{ variantId: disputed.lines[0]?.variantId ?? '', quantity: 1 }]
  const shipment = { id: uuidv7(), lines, carrier: null, trackingNumber: null }
  const stopped = { code: 'PAYMENT_DISPUTED' }
  assert.throws(() => fulfil(disputed, shipment, moment()), stopped)
  assert.throws(() => requestRefund(disputed, refundAsked({ lines }), moment()), stopped)
  assert.throws(() => requestCancellation(disputed, null, moment()), stopped)
  const end = (phase: 'won' | 'lost') =>
    settle(
      disputed,
      aState(disputed, { phase: 'captured', disputes: [{ ...dispute, phase }] }),
      moment(),
    ).order
  assert.equal(fulfil(end('won'), shipment, moment()).order.status, 'partly_fulfilled')
  assert.equal(refundableMinor(end('lost')), 0)
})

test('disputed money of a cancelled order is due to go back only when it was won', () => {
  const { order } = requestCancellation(anOrder(), null, moment())
  const told = (revision: number, phase: 'open' | 'won' | 'lost') =>
    aState(order, {
      revision,
      phase: 'captured',
      disputes: [{ id: 'du_1', amountMinor: 2_500, phase }],
    })
  const disputed = settle(order, told(1, 'open'), moment())
  assert.equal(disputed.outcome, 'applied')
  assert.equal(settle(disputed.order, told(2, 'lost'), moment()).outcome, 'applied')
  assert.equal(settle(disputed.order, told(2, 'won'), moment()).outcome, 'refund-due')
})

type Step = { kind: string; n: number }
const step = fc.record({
  kind: fc.constantFrom(
    'process',
    'authorize',
    'capture',
    'end',
    'refund',
    'move-refund',
    'dispute',
    'close-dispute',
  ),
  n: fc.nat(9),
})

/** What payments may learn next of a payment: it only goes on. */
function advance(state: PaymentState, { kind, n }: Step): PaymentState {
  const next = { ...state, revision: state.revision + 1 }
  const kept =
    state.capturedMinor -
    state.refunds
      .filter(({ phase }) => phase !== 'failed')
      .reduce((sum, { amountMinor }) => sum + amountMinor, 0)
  const isUnpaid = state.phase === 'open' || state.phase === 'processing'
  switch (kind) {
    case 'process':
      return state.phase === 'open' ? { ...next, phase: 'processing' } : state
    case 'authorize':
      return isUnpaid ? { ...next, phase: 'authorized' } : state
    case 'capture':
      if (!isUnpaid && state.phase !== 'authorized') return state
      return { ...next, phase: 'captured', capturedMinor: state.amountMinor }
    case 'end':
      return state.phase === 'captured' || state.phase === 'ended'
        ? state
        : { ...next, phase: 'ended' }
    case 'refund': {
      const amountMinor = n > 6 ? kept : Math.min(kept, 100 * (n + 1))
      const refund = { id: `r${state.refunds.length}`, isOurs: false, amountMinor }
      const phase = n % 2 === 0 ? 'pending' : 'succeeded'
      return amountMinor > 0
        ? { ...next, refunds: [...state.refunds, { ...refund, phase }] }
        : state
    }
    case 'move-refund': {
      const ranks = ['pending', 'succeeded', 'failed'] as const
      const target = ranks[1 + (n % 2)] ?? 'failed'
      const refunds = state.refunds.map((refund, index) =>
        index === n % state.refunds.length && ranks.indexOf(refund.phase) < ranks.indexOf(target)
          ? { ...refund, phase: target }
          : refund,
      )
      return { ...next, refunds }
    }
    case 'dispute':
      if (state.capturedMinor === 0 || state.disputes.length > 0) return state
      return { ...next, disputes: [{ id: 'du', amountMinor: state.capturedMinor, phase: 'open' }] }
    default:
      return {
        ...next,
        disputes: state.disputes.map((dispute) =>
          dispute.phase === 'open' ? { ...dispute, phase: n % 2 === 0 ? 'won' : 'lost' } : dispute,
        ),
      }
  }
}

function start(isCancelling: boolean) {
  const {
    status: _status,
    version: _version,
    ...draft
  } = anOrder({ lines: [aLine(gbp(1_250), 2)] })
  const placed = place(draft, moment())
  const entries: Entry[] = [...placed.entries]
  if (!isCancelling) return { order: placed.order, entries }
  const requested = requestCancellation(placed.order, null, moment())
  entries.push(...requested.entries)
  return { order: requested.order, entries }
}

function explained(order: Order, entries: readonly Entry[]): void {
  assert.deepEqual(replayTimeline(entries), summarize(order))
  assert.deepEqual(
    entries.map(({ seq }) => seq),
    entries.map((_entry, index) => index + 1),
  )
  assert.equal(entries.length, order.version)
  assert.equal(entries.at(-1)?.status, order.status)
}

test('the states of a payment, in any order and repeated, end in the same order', () => {
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(step, { maxLength: 10 }),
      fc.array(fc.nat(50), { maxLength: 25 }),
      (isCancelling, steps, picks) => {
        const first = start(isCancelling)
        const chain = [aState(first.order)]
        for (const each of steps) {
          const last = chain.at(-1)
          if (last) chain.push(advance(last, each))
        }
        let inOrder = first.order
        for (const state of chain) inOrder = settle(inOrder, state, moment()).order
        let shuffled = first.order
        const entries = [...first.entries]
        const told = [...picks.map((pick) => chain[pick % chain.length]), chain.at(-1), chain[0]]
        for (const state of told) {
          if (!state) continue
          const decision = settle(shuffled, state, moment())
          shuffled = decision.order
          entries.push(...decision.entries)
          explained(shuffled, entries)
        }
        const { lines: linesInOrder, ...expected } = summarize(inOrder)
        const { lines, ...actual } = summarize(shuffled)
        assert.deepEqual(actual, expected)
        assert.equal(isRefundDue(shuffled), isRefundDue(inOrder))
        // Pieces that went back to the stock stay there, so a refund that fails leaves its mark.
        const isFailed = chain.some(({ refunds }) =>
          refunds.some(({ phase }) => phase === 'failed'),
        )
        if (!isFailed) assert.deepEqual(lines, linesInOrder)
      },
    ),
    { numRuns: 3_000 },
  )
})

const act = fc.record({
  kind: fc.constantFrom(
    ...[
      'pay',
      'money',
      'request',
      'cancel',
      'expire',
      'fulfil',
      'deliver',
      'refund',
      'refuse',
      'answer',
    ],
  ),
  n: fc.nat(9),
  money: step,
})

test('whatever shopper, staff and provider do, nothing is sent, returned or told too often', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 25 }), (acts) => {
      let { order, entries } = start(false)
      const [{ variantId } = aLine()] = order.lines
      let state = aState(order)
      const told: string[] = []
      const returned: number[] = []
      for (const { kind, n, money } of acts) {
        const before = order
        const lines = [{ variantId, quantity: 1 + (n % 2) }]
        const open = order.refunds.find(({ status }) => status === 'requested')
        const decide = (): Decision<unknown> => {
          switch (kind) {
            case 'pay':
              state = advance(state, { kind: 'capture', n })
              return settle(order, state, moment())
            case 'money':
              state = advance(state, money)
              return settle(order, state, moment())
            case 'request':
              return requestCancellation(order, null, moment())
            case 'cancel':
              return order.cancellation ? cancel(order, moment()) : settle(order, state, moment())
            case 'expire':
              return requestExpiry(order, moment({ at: new Date(at.getTime() + 120_000) }))
            case 'fulfil':
              return fulfil(
                order,
                { id: uuidv7(), lines, carrier: null, trackingNumber: null },
                moment(),
              )
            case 'deliver':
              return deliver(order, order.fulfilments[n % 3]?.id ?? '', moment())
            case 'refund':
              return requestRefund(
                order,
                refundAsked(n > 6 ? { amount: gbp(n * 200) } : { lines, isReturned: n % 2 === 0 }),
                moment(),
              )
            case 'refuse':
              return refuseRefund(
                order,
                { refundId: open?.id ?? '', problem: { code: 'NO', message: 'No.' } },
                moment(),
              )
            default: {
              const { id, amountMinor } = open ?? { id: '', amountMinor: 0 }
              const isKnown = !open || state.refunds.some((refund) => refund.id === id)
              const refund = { id, isOurs: true, amountMinor, phase: 'succeeded' as const }
              if (!isKnown) {
                const { revision, refunds } = state
                state = { ...state, revision: revision + 1, refunds: [...refunds, refund] }
              }
              return settle(order, state, moment())
            }
          }
        }
        try {
          const decision = decide()
          ;({ order } = decision)
          entries = [...entries, ...decision.entries]
          told.push(...types(decision))
          for (const { message } of decision.messages) {
            const data = message.data as { returned?: { quantity: number }[] }
            returned.push(...(data.returned ?? []).map(({ quantity }) => quantity))
          }
        } catch (error) {
          assert.ok(error instanceof AppError, String(error))
        }
        explained(order, entries)
        assert.ok(order.version >= before.version)
        assert.ok(
          isLegal(before.status, order.status),
          `${kind}: ${before.status} → ${order.status}`,
        )
        const ours = order.refunds.filter(({ status, isOurs }) => isOurs && status !== 'failed')
        const asked = ours.reduce((sum, { amountMinor }) => sum + amountMinor, 0)
        assert.ok(asked <= order.payment.capturedMinor)
        const sent = fulfilledQuantity(order, variantId)
        assert.ok(sent <= 2 && refundedQuantity(order, variantId) <= 2)
        assert.ok(sent === 0 || isCaptured(order))
      }
      assert.ok(told.filter((type) => type === 'order-paid').length <= 1)
      assert.ok(told.filter((type) => type === 'order-cancelled').length <= 1)
      assert.ok(returned.reduce((sum, quantity) => sum + quantity, 0) <= 2)
      assert.equal(told.includes('order-cancelled'), order.status === 'cancelled')
    }),
    { numRuns: 4_000 },
  )
})

function isLegal(from: OrderStatus, to: OrderStatus): boolean {
  return Object.values(transitions[from]).some((cell) => from === to || cell.includes(to))
}
