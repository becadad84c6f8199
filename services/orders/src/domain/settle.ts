import { orderCancelled, orderPaid } from '@halles/contracts/gen/messages/orders'
import type { OutgoingMessage } from '@halles/contracts/message'
import { AppError } from '@halles/kit/errors'
import { move, newsOf, shippable } from './life-cycle.ts'
import { mergeLines } from './lines.ts'
import { tell, tellRefund } from './messages.ts'
import { type Decision, type Moment, type Order, record, unchanged } from './order.ts'
import {
  disputeOf,
  laterPhase,
  type PaymentState,
  type Refund,
  refundableMinor,
} from './payment.ts'
import type { EntryDraft } from './timeline.ts'

export type Settlement = 'applied' | 'duplicate' | 'refund-due'

/**
 * The one path by which money changes an order: takes over what payments knows of it now. A state
 * that is not newer than the known one is absorbed. Money of an order that is, or is about to be,
 * cancelled is said to be due as long as it is there, since whoever must return it may have failed.
 * @throws conflict `PAYMENT_MISMATCH` for another payment, amount or currency.
 */
export function settle(order: Order, state: PaymentState, moment: Moment): Decision<Settlement> {
  checkState(order, state)
  if (state.revision <= order.payment.revision) return answered(unchanged(order), 'duplicate')
  const { revision, disputes } = state
  const phase = laterPhase(order.payment.phase, state.phase)
  const capturedMinor = Math.max(order.payment.capturedMinor, state.capturedMinor)
  const payment = { ...order.payment, revision, phase, capturedMinor, disputes }
  const merged = mergeRefunds(order.refunds, state, moment.at)
  const known: Order = { ...order, payment, refunds: merged }
  const moved = move(known, newsOf(known))
  const settled = { ...moved, refunds: restock(order, moved) }
  const drafts = [
    ...moneyDrafts(order, settled),
    ...refundDrafts(order, settled),
    ...disputeDrafts(order, settled),
    ...endDrafts(order, settled),
  ]
  const decision = record(settled, drafts, moment)
  const messages = messagesOf(order, decision.order, moment)
  return answered({ ...decision, messages }, drafts.length > 0 ? 'applied' : 'duplicate')
}

/** Whether money is kept, or held, that the order can never have. */
export function isRefundDue(order: Order): boolean {
  if (order.status !== 'cancelled' && !order.cancellation) return false
  // The provider returns nothing while it decides on a dispute; its end is told again.
  if (disputeOf(order) === 'open') return false
  return order.payment.phase === 'authorized' || refundableMinor(order) > 0
}

function answered(decision: Decision, outcome: Settlement): Decision<Settlement> {
  return { ...decision, outcome: isRefundDue(decision.order) ? 'refund-due' : outcome }
}

function checkState({ id, payment, totals }: Order, state: PaymentState): void {
  const { amountMinor, currency } = totals.total
  const isSame =
    state.paymentId === payment.id &&
    state.amountMinor === amountMinor &&
    state.currency === currency
  if (isSame) return
  throw new AppError(
    'conflict',
    'PAYMENT_MISMATCH',
    'The payment is not the one that the order waits for.',
    { details: { orderId: id } },
  )
}

function mergeRefunds(
  known: readonly Refund[],
  { refunds: told }: PaymentState,
  at: Date,
): readonly Refund[] {
  const phases = new Map(told.map((refund) => [refund.id, refund]))
  const ids = new Set(known.map(({ id }) => id))
  const updated = known.map((refund) => {
    const news = phases.get(refund.id)
    if (!news || (news.phase === refund.status && news.amountMinor === refund.amountMinor)) {
      return refund
    }
    return { ...refund, status: news.phase, amountMinor: news.amountMinor }
  })
  const added = told
    .filter(({ id }) => !ids.has(id))
    .map(({ id, isOurs, amountMinor, phase }) => ({
      id,
      isOurs,
      status: phase,
      amountMinor,
      lines: [],
      isReturned: false,
      reason: null,
      at,
      unsent: [],
      restocked: [],
      problem: null,
    }))
  return [...updated, ...added]
}

/**
 * Marks what goes back to the stock with refunds that have just succeeded: the pieces they say came
 * back, and with the last of the money all that has not left the house, since it never will now.
 */
function restock(before: Order, after: Order): readonly Refund[] {
  // All pieces of a cancelled order become free with its cancellation.
  if (after.status === 'cancelled') return after.refunds
  const fresh = newlySucceeded(before, after)
  const unsent = after.status === 'refunded' ? shippable(after) : []
  const last = fresh.at(-1)
  return after.refunds.map((refund) => {
    if (!fresh.includes(refund)) return refund
    const returned = refund.isReturned ? refund.lines : []
    const rest = refund === last ? unsent : []
    return { ...refund, unsent: rest, restocked: mergeLines([...returned, ...rest]) }
  })
}

function newlySucceeded(before: Order, after: Order): Refund[] {
  const done = new Set(
    before.refunds.filter(({ status }) => status === 'succeeded').map(({ id }) => id),
  )
  return after.refunds.filter(({ id, status }) => status === 'succeeded' && !done.has(id))
}

function moneyDrafts(before: Order, after: Order): EntryDraft[] {
  const { phase, capturedMinor } = after.payment
  const details = { phase, capturedMinor }
  const isPaid = after.status === 'paid' || after.status === 'refunded'
  if (before.status === 'pending_payment' && isPaid) return [{ what: 'paid', details }]
  const isNew = phase !== before.payment.phase || capturedMinor !== before.payment.capturedMinor
  return isNew ? [{ what: `payment-${phase}`, details }] : []
}

function refundDrafts(before: Order, after: Order): EntryDraft[] {
  const earlier = new Map(before.refunds.map((refund) => [refund.id, refund]))
  return after.refunds.flatMap(({ id, status, ...refund }): EntryDraft[] => {
    const known = earlier.get(id)
    const { amountMinor, lines, unsent, restocked } = refund
    if (known?.status === status && known.amountMinor === amountMinor) return []
    const details = { refundId: id, amountMinor, lines, unsent, restocked }
    return status === 'requested' ? [] : [{ what: `refund-${status}`, details }]
  })
}

function disputeDrafts(before: Order, after: Order): EntryDraft[] {
  const earlier = new Map(before.payment.disputes.map(({ id, phase }) => [id, phase]))
  return after.payment.disputes
    .filter(({ id, phase }) => earlier.get(id) !== phase)
    .map(({ id, amountMinor, phase }) => ({
      what: `dispute-${phase === 'open' ? 'opened' : phase}`,
      details: { disputeId: id, amountMinor },
    }))
}

function endDrafts(before: Order, after: Order): EntryDraft[] {
  const isCancelled = after.status === 'cancelled' && before.status !== 'cancelled'
  const details = { reason: after.cancellation?.reason ?? null }
  return isCancelled ? [{ what: 'cancelled', details }] : []
}

function messagesOf(before: Order, after: Order, moment: Moment): OutgoingMessage[] {
  const messages: OutgoingMessage[] = []
  const isPaid = after.status === 'paid' || after.status === 'refunded'
  if (before.status === 'pending_payment' && isPaid) {
    messages.push(tell(orderPaid, { ...after, status: 'paid' }, moment))
  }
  if (after.status === 'cancelled' && before.status !== 'cancelled') {
    messages.push(tell(orderCancelled, after, moment))
  }
  for (const refund of newlySucceeded(before, after)) {
    messages.push(tellRefund(after, refund, { moment, returned: refund.restocked }))
  }
  return messages
}
