import { refused } from '../errors.ts'
import type { Metadata } from '../parameters.ts'
import type { Charge } from '../shapes/charges.ts'
import type { Moment } from '../shapes/moment.ts'
import { newRefund, type Refund } from '../shapes/refunds.ts'
import type { Decision, EventDraft, Payment, Task } from './decision.ts'
import { formatMoney } from './money.ts'
import { refundableOf } from './payments.ts'

export const refundReasons = ['duplicate', 'fraudulent', 'requested_by_customer'] as const

export type RefundTerms = {
  amount: number | undefined
  reason: string | undefined
  metadata: Metadata
  /** Made by hand in the dashboard with an ending of its own. */
  ending?: 'succeeded' | 'pending' | 'fail' | undefined
}

/** Gives back all that is left of a charge, or the amount asked for. */
export function refund(payment: Payment, terms: RefundTerms, moment: Moment): Decision<Refund> {
  const { charge } = payment
  if (payment.hasOpenDispute) {
    const message = `Charge ${charge.id} has been charged back; cannot issue a refund.`
    throw refused(message, { code: 'charge_disputed', charge: charge.id })
  }
  const left = refundableOf(charge)
  if (charge.refunded || left <= 0) {
    const message = `Charge ${charge.id} has already been refunded.`
    throw refused(message, { code: 'charge_already_refunded', charge: charge.id })
  }
  const amount = terms.amount ?? left
  if (amount > left) {
    const asked = formatMoney(amount, charge.currency)
    const message = `Refund amount (${asked}) is greater than unrefunded amount on charge (${formatMoney(left, charge.currency)})`
    throw refused(message, { param: 'amount', charge: charge.id })
  }
  const isDebit = payment.behaviour.debit !== undefined
  const ending = terms.ending ?? payment.behaviour.refunds ?? (isDebit ? 'pending' : 'succeeded')
  const status = ending === 'pending' ? 'pending' : 'succeeded'
  const created = newRefund(charge, { ...terms, amount, status }, moment)
  const changed = withRefunded(charge, charge.amount_refunded + amount)
  const previous = { amount_refunded: charge.amount_refunded, refunded: charge.refunded }
  return {
    outcome: created,
    saved: [created, changed],
    events: [
      { type: 'refund.created', object: created },
      { type: 'charge.refunded', object: changed, previous },
    ],
    tasks: ending === 'succeeded' ? [] : [laterTask(created.id, ending)],
  }
}

function laterTask(objectId: string, ending: 'pending' | 'fail'): Task {
  const outcome = ending === 'pending' ? 'succeeded' : 'failed'
  return { kind: 'refund', objectId, outcome, delay: 'bank' }
}

function withRefunded(charge: Charge, amountRefunded: number): Charge {
  const isWhole = charge.captured && amountRefunded === charge.amount
  return { ...charge, amount_refunded: amountRefunded, refunded: isWhole }
}

/** What the bank makes of a refund later; a failed or cancelled one returns to the balance. */
export function settleRefund(
  refund: Refund,
  charge: Charge,
  outcome: 'succeeded' | 'failed' | 'canceled',
): Decision<Refund> {
  const isOpen = refund.status === 'pending'
  // A bank can send back what was already counted as done; nothing else leaves that state.
  if (!isOpen && !(refund.status === 'succeeded' && outcome === 'failed')) {
    throw refused(`The refund ${refund.id} has a status of ${refund.status} and stays so.`)
  }
  const { pending_reason: _, ...rest } = refund
  const settled: Refund = {
    ...rest,
    status: outcome,
    ...(outcome === 'failed' ? { failure_reason: 'expired_or_canceled_card' } : {}),
  }
  const previous = { status: refund.status }
  const events: EventDraft[] = [
    { type: 'refund.updated', object: settled, previous },
    { type: 'charge.refund.updated', object: settled, previous },
  ]
  if (outcome === 'succeeded') return { outcome: settled, saved: [settled], events }
  const back = withRefunded(charge, charge.amount_refunded - refund.amount)
  const failed: EventDraft[] =
    outcome === 'failed' ? [{ type: 'refund.failed', object: settled, previous }] : []
  return { outcome: settled, saved: [settled, back], events: [...events, ...failed] }
}

/** By the API only a refund that waits for its shopper can be cancelled, as Stripe says. */
export function refuseCancellation(refund: Refund) {
  return refused(
    `This refund cannot be canceled because it has a status of ${refund.status}. Only refunds with a status of requires_action can be canceled.`,
  )
}

export function renameRefund(refund: Refund, metadata: Metadata): Decision<Refund> {
  const changed: Refund = { ...refund, metadata: { ...refund.metadata, ...metadata } }
  const previous = { metadata: refund.metadata }
  return {
    outcome: changed,
    saved: [changed],
    events: [
      { type: 'refund.updated', object: changed, previous },
      { type: 'charge.refund.updated', object: changed, previous },
    ],
  }
}
