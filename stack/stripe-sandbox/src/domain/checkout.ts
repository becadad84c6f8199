import type { DebitEntry } from '../bank-debits.ts'
import type { CardEntry, Decline } from '../cards.ts'
import { refused } from '../errors.ts'
import { newCharge } from '../shapes/charges.ts'
import { type Intent, newIntent } from '../shapes/intents.ts'
import type { Moment } from '../shapes/moment.ts'
import { newCardMethod, newDebitMethod, type PaymentMethod } from '../shapes/payment-methods.ts'
import { customerDetails, type Session } from '../shapes/sessions.ts'
import type { Checkout, Decision, EventDraft, Task } from './decision.ts'

export type PaymentOutcome =
  | { kind: 'paid' }
  | { kind: 'authentication' }
  | { kind: 'declined'; message: string }

export type Entry = (CardEntry | DebitEntry) & { email: string | null }
type Started = Checkout & { intent: Intent; method: PaymentMethod }

/** The shopper submits a card or an account for an open session. */
export function submitEntry(
  checkout: Checkout,
  entry: Entry,
  moment: Moment,
): Decision<PaymentOutcome> {
  const { session, details } = checkout
  const isNew = checkout.intent === null
  const intent = checkout.intent ?? newIntent(session, details.intent, moment)
  const events: EventDraft[] = isNew ? [{ type: 'payment_intent.created', object: intent }] : []
  const email = session.customer_email ?? entry.email
  const method =
    'card' in entry
      ? newCardMethod(entry.card, email, moment)
      : newDebitMethod(entry.account, email, moment)
  const { behaviour } = entry
  const started = {
    ...checkout,
    intent,
    method,
    behaviour,
    session: { ...session, payment_intent: intent.id },
  }
  const next = behaviour.needsAuthentication ? askAuthentication(started) : settle(started, moment)
  return {
    ...next,
    saved: [method, ...next.saved],
    events: [...events, ...next.events],
    behaviour,
  }
}

/** The shopper comes back from the bank's authentication page. */
export function finishAuthentication(
  checkout: Started,
  isCompleted: boolean,
  moment: Moment,
): Decision<PaymentOutcome> {
  if (isCompleted) return settle(checkout, moment)
  const message =
    'We are unable to authenticate your payment method. Please choose a different payment method and try again.'
  const intent: Intent = {
    ...checkout.intent,
    status: 'requires_payment_method',
    next_action: null,
    payment_method: null,
    last_payment_error: {
      type: 'invalid_request_error',
      code: 'payment_intent_authentication_failure',
      doc_url: 'https://stripe.com/docs/error-codes/payment-intent-authentication-failure',
      message,
      payment_method: checkout.method,
    },
  }
  return {
    outcome: { kind: 'declined', message },
    saved: [intent],
    events: [{ type: 'payment_intent.payment_failed', object: intent }],
  }
}

function askAuthentication({ session, intent, method }: Started): Decision<PaymentOutcome> {
  const waiting: Intent = {
    ...intent,
    status: 'requires_action',
    payment_method: method.id,
    last_payment_error: null,
    next_action: {
      type: 'redirect_to_url',
      redirect_to_url: { url: session.url, return_url: session.success_url },
    },
  }
  return {
    outcome: { kind: 'authentication' },
    saved: [session, waiting],
    events: [{ type: 'payment_intent.requires_action', object: waiting }],
  }
}

function settle(checkout: Started, moment: Moment): Decision<PaymentOutcome> {
  const { decline, debit } = checkout.behaviour
  if (decline !== null) return fail(checkout, decline, moment)
  if (debit !== undefined) return startDebit(checkout, debit, moment)
  return checkout.intent.capture_method === 'manual'
    ? authorize(checkout, moment)
    : pay(checkout, moment)
}

function pay(checkout: Started, moment: Moment): Decision<PaymentOutcome> {
  const { intent, method, behaviour } = checkout
  const charge = newCharge(intent, method, { kind: 'captured' }, moment)
  const paid: Intent = {
    ...accepted(checkout, charge.id),
    status: 'succeeded',
    amount_received: intent.amount,
  }
  const session = complete(checkout, 'paid')
  return {
    outcome: { kind: 'paid' },
    saved: [charge, paid, session],
    events: [
      { type: 'charge.succeeded', object: charge },
      { type: 'payment_intent.succeeded', object: paid },
      { type: 'checkout.session.completed', object: session },
    ],
    tasks: disputeTasks(behaviour, charge.id),
  }
}

function authorize(checkout: Started, moment: Moment): Decision<PaymentOutcome> {
  const { intent, method } = checkout
  const charge = newCharge(intent, method, { kind: 'authorized' }, moment)
  const held: Intent = {
    ...accepted(checkout, charge.id),
    status: 'requires_capture',
    amount_capturable: intent.amount,
  }
  const session = complete(checkout, 'unpaid')
  const ended = { kind: 'authorization_end', objectId: intent.id, outcome: 'expired' } as const
  return {
    outcome: { kind: 'paid' },
    saved: [charge, held, session],
    events: [
      { type: 'charge.succeeded', object: charge },
      { type: 'payment_intent.amount_capturable_updated', object: held },
      { type: 'checkout.session.completed', object: session },
    ],
    tasks: [{ ...ended, delay: 'authorization' }],
  }
}

function startDebit(
  checkout: Started,
  debit: NonNullable<Checkout['behaviour']['debit']>,
  moment: Moment,
): Decision<PaymentOutcome> {
  const { intent, method } = checkout
  const charge = newCharge(intent, method, { kind: 'pending' }, moment)
  const processing: Intent = { ...accepted(checkout, charge.id), status: 'processing' }
  const session = complete(checkout, 'unpaid')
  const delay = debit.isSlow ? 'slow-bank' : 'bank'
  return {
    outcome: { kind: 'paid' },
    saved: [charge, processing, session],
    events: [
      { type: 'charge.pending', object: charge },
      { type: 'payment_intent.processing', object: processing },
      { type: 'checkout.session.completed', object: session },
    ],
    tasks: [{ kind: 'debit', objectId: intent.id, outcome: debit.outcome, delay }],
  }
}

function accepted({ intent, method }: Started, chargeId: string): Intent {
  return {
    ...intent,
    latest_charge: chargeId,
    payment_method: method.id,
    last_payment_error: null,
    next_action: null,
  }
}

function complete({ session, intent, method }: Started, paid: 'paid' | 'unpaid'): Session {
  return {
    ...session,
    status: 'complete',
    payment_status: paid,
    payment_intent: intent.id,
    customer_details: customerDetails(method.billing_details.email),
    url: null,
  }
}

/** Some cards are good only until their owner complains, which is as soon as they are charged. */
export function disputeTasks(behaviour: Checkout['behaviour'], chargeId: string): Task[] {
  if (behaviour.dispute === undefined) return []
  return [{ kind: 'dispute', objectId: chargeId, outcome: '', delay: 'none' }]
}

function fail(checkout: Started, decline: Decline, moment: Moment): Decision<PaymentOutcome> {
  const { session, intent, method } = checkout
  const charge = newCharge(intent, method, { kind: 'declined', decline }, moment)
  const failed: Intent = {
    ...intent,
    status: 'requires_payment_method',
    latest_charge: charge.id,
    payment_method: null,
    next_action: null,
    last_payment_error: paymentError(decline, charge.id, method),
  }
  return {
    outcome: { kind: 'declined', message: decline.message },
    saved: [charge, failed, { ...session, payment_intent: failed.id }],
    events: [
      { type: 'charge.failed', object: charge },
      { type: 'payment_intent.payment_failed', object: failed },
    ],
  }
}

export function paymentError(
  decline: Decline,
  chargeId: string,
  method: PaymentMethod | null,
): NonNullable<Intent['last_payment_error']> {
  return {
    type: 'card_error',
    charge: chargeId,
    code: decline.code,
    decline_code: decline.declineCode,
    doc_url: `https://stripe.com/docs/error-codes/${decline.code.replaceAll('_', '-')}`,
    message: decline.message,
    ...(method === null ? {} : { payment_method: method }),
  }
}

/** Ends an open session, by the API or because its time is over. */
export function expire(checkout: Checkout, at: number): Decision<Session> {
  const { session } = checkout
  if (session.status !== 'open') {
    const message = `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of \`${session.status}\`.`
    throw refused(message)
  }
  const expired: Session = { ...session, status: 'expired', url: null }
  const intent: Intent | null = checkout.intent && {
    ...checkout.intent,
    status: 'canceled',
    canceled_at: at,
    cancellation_reason: 'automatic',
    next_action: null,
  }
  return {
    outcome: expired,
    saved: intent ? [intent, expired] : [expired],
    events: [
      ...(intent ? ([{ type: 'payment_intent.canceled', object: intent }] as const) : []),
      { type: 'checkout.session.expired', object: expired },
    ],
  }
}
