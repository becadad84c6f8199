import { debitFailure } from '../bank-debits.ts'
import { refused } from '../errors.ts'
import { type Charge, outcomeOf } from '../shapes/charges.ts'
import type { Intent } from '../shapes/intents.ts'
import type { Moment } from '../shapes/moment.ts'
import type { PaymentMethod } from '../shapes/payment-methods.ts'
import { newRefund } from '../shapes/refunds.ts'
import type { Session } from '../shapes/sessions.ts'
import { disputeTasks, paymentError } from './checkout.ts'
import type { Decision, EventDraft, Payment } from './decision.ts'
import { formatMoney } from './money.ts'

export type CancellationReason = (typeof cancellationReasons)[number]
export const cancellationReasons = [
  'duplicate',
  'fraudulent',
  'requested_by_customer',
  'abandoned',
] as const

const cancellable = [
  'requires_payment_method',
  'requires_capture',
  'requires_confirmation',
  'requires_action',
  'processing',
]

function unexpectedState(message: string, intent: Intent) {
  const code = 'payment_intent_unexpected_state'
  return refused(message, { code, payment_intent: intent })
}

/** Why an intent without a charge, or with one in another state, cannot be captured. */
export function notCapturable(intent: Intent) {
  const message =
    intent.status === 'succeeded'
      ? 'This PaymentIntent could not be captured because it has already been captured.'
      : `This PaymentIntent could not be captured because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.`
  return unexpectedState(message, intent)
}

/** Takes what is held, or a part of it; the rest is let go, which Stripe shows as a refund. */
export function capture(
  { session, intent, charge, behaviour }: Payment,
  asked: number | undefined,
  moment: Moment,
): Decision<Intent> {
  if (intent.status !== 'requires_capture') throw notCapturable(intent)
  const held = intent.amount_capturable
  const amount = asked ?? held
  if (amount > held) {
    const money = (value: number) => formatMoney(value, intent.currency)
    const message = `The amount to capture (${money(amount)}) is greater than the amount that can be captured (${money(held)}).`
    throw refused(message, { code: 'amount_too_large', param: 'amount_to_capture' })
  }
  const captured: Charge = {
    ...charge,
    captured: true,
    amount_captured: amount,
    amount_refunded: held - amount,
  }
  const released =
    amount < held
      ? [newRefund(charge, { ...noWords, amount: held - amount, status: 'succeeded' }, moment)]
      : []
  const paid: Intent = {
    ...intent,
    status: 'succeeded',
    amount_capturable: 0,
    amount_received: amount,
  }
  return {
    outcome: paid,
    saved: [captured, ...released, paid, ...(session ? [{ ...session, ...isPaid }] : [])],
    events: [
      {
        type: 'charge.captured',
        object: captured,
        previous: { amount_captured: 0, amount_refunded: 0, captured: false },
      },
      { type: 'payment_intent.succeeded', object: paid },
    ],
    tasks: disputeTasks(behaviour, charge.id),
  }
}

const isPaid = { payment_status: 'paid' } satisfies Partial<Session>
const noWords = { reason: undefined, metadata: {} }

/** Lets go what is held, or gives up a payment that was never made. */
export function cancel(
  { session, intent, charge }: { session: Session | null; intent: Intent; charge: Charge | null },
  reason: CancellationReason | 'automatic' | null,
  moment: Moment,
): Decision<Intent> {
  if (!cancellable.includes(intent.status)) {
    const message = `You cannot cancel this PaymentIntent because it has a status of ${intent.status}. Only a PaymentIntent with one of the following statuses may be canceled: ${cancellable.join(', ')}.`
    throw unexpectedState(message, intent)
  }
  if (session?.status === 'open') {
    const message =
      'You cannot cancel a PaymentIntent of an open Checkout Session. Expire the Checkout Session instead.'
    throw unexpectedState(message, intent)
  }
  if (intent.status === 'processing') {
    const message =
      'You cannot cancel this PaymentIntent because the debit has already been sent to the bank.'
    throw unexpectedState(message, intent)
  }
  const canceled: Intent = {
    ...intent,
    status: 'canceled',
    amount_capturable: 0,
    canceled_at: moment.at,
    cancellation_reason: reason,
    next_action: null,
  }
  const events: EventDraft[] = [{ type: 'payment_intent.canceled', object: canceled }]
  if (intent.status !== 'requires_capture' || charge === null) {
    return { outcome: canceled, saved: [canceled], events }
  }
  const refundReason = reason === 'automatic' ? 'expired_uncaptured_charge' : undefined
  const fields = { amount: charge.amount, reason: refundReason, metadata: {} }
  const released = newRefund(charge, { ...fields, status: 'succeeded' }, moment)
  const voided: Charge = { ...charge, amount_refunded: charge.amount, refunded: true }
  const previous = { amount_refunded: 0, refunded: false }
  const type = reason === 'automatic' ? 'charge.expired' : 'charge.refunded'
  return {
    outcome: canceled,
    saved: [released, voided, canceled],
    events: [{ type, object: voided, previous }, ...events],
  }
}

/** The bank's answer to a direct debit, days after the shopper left. */
export function finishDebit(
  { session, intent, charge, behaviour }: Payment,
  outcome: 'succeeded' | 'failed',
  method: PaymentMethod | null,
): Decision<Intent> {
  if (intent.status !== 'processing') {
    const message = `This PaymentIntent waits for no bank: it has a status of ${intent.status}.`
    throw unexpectedState(message, intent)
  }
  if (outcome === 'failed') return failDebit({ session, intent, charge }, method)
  const paidCharge: Charge = {
    ...charge,
    status: 'succeeded',
    paid: true,
    captured: true,
    amount_captured: charge.amount,
  }
  const paid: Intent = { ...intent, status: 'succeeded', amount_received: intent.amount }
  const done = session && { ...session, ...isPaid }
  return {
    outcome: paid,
    saved: [paidCharge, paid, ...(done ? [done] : [])],
    events: [
      { type: 'charge.succeeded', object: paidCharge },
      { type: 'payment_intent.succeeded', object: paid },
      ...sessionEvents(done, 'checkout.session.async_payment_succeeded'),
    ],
    tasks: disputeTasks(behaviour, charge.id),
  }
}

function failDebit(
  { session, intent, charge }: { session: Session | null; intent: Intent; charge: Charge },
  method: PaymentMethod | null,
): Decision<Intent> {
  const failed: Charge = {
    ...charge,
    status: 'failed',
    failure_code: debitFailure.code,
    failure_message: debitFailure.message,
    outcome: outcomeOf(debitFailure),
  }
  const unpaid: Intent = {
    ...intent,
    status: 'requires_payment_method',
    payment_method: null,
    last_payment_error: paymentError(debitFailure, charge.id, method),
  }
  return {
    outcome: unpaid,
    saved: [failed, unpaid],
    events: [
      { type: 'charge.failed', object: failed },
      { type: 'payment_intent.payment_failed', object: unpaid },
      ...sessionEvents(session, 'checkout.session.async_payment_failed'),
    ],
  }
}

function sessionEvents(
  session: Session | null,
  type: 'checkout.session.async_payment_succeeded' | 'checkout.session.async_payment_failed',
): EventDraft[] {
  return session === null ? [] : [{ type, object: session }]
}

/** The money of a charge that can still be given back. */
export function refundableOf(charge: Charge): number {
  return charge.captured ? charge.amount - charge.amount_refunded : 0
}
