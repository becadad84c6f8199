import type { CardEntry, Decline } from './cards.ts'
import { refused } from './errors.ts'
import type { Metadata } from './parameters.ts'
import {
  type Charge,
  type Intent,
  type Moment,
  newCharge,
  newIntent,
  newPaymentMethod,
  newRefund,
  type PaymentMethod,
  type Refund,
} from './payment-shapes.ts'
import type { SessionParameters } from './session-parameters.ts'
import { customerDetails, type LineItem, type Session } from './session-shapes.ts'

export type ApiObject = Session | Intent | Charge | Refund | PaymentMethod

/** What the wire object does not show but the hosted page needs. */
export type SessionDetails = { lines: LineItem[]; intent: SessionParameters['intent'] }

/** A checkout under way: the session and, once the shopper tried to pay, its payment intent. */
export type Checkout = {
  session: Session
  details: SessionDetails
  intent: Intent | null
  /** The card that waits for authentication. */
  method: PaymentMethod | null
  /** What the card will do after a completed authentication. */
  pendingDecline: Decline | null
}

export type EventDraft = {
  type: string
  object: ApiObject
  previous?: { [name: string]: unknown }
}

/** Objects to save and events to send, in order. */
export type Decision<Outcome> = {
  outcome: Outcome
  saved: ApiObject[]
  events: EventDraft[]
  pendingDecline?: Decline | null
}

export type PaymentOutcome =
  | { kind: 'paid' }
  | { kind: 'authentication' }
  | { kind: 'declined'; message: string }

/** The shopper submits a card for an open session. */
export function submitCard(
  checkout: Checkout,
  entry: CardEntry & { email: string | null },
  moment: Moment,
): Decision<PaymentOutcome> {
  const { session, details } = checkout
  const isNew = checkout.intent === null
  const intent = checkout.intent ?? newIntent(session, details.intent, moment)
  const events: EventDraft[] = isNew ? [{ type: 'payment_intent.created', object: intent }] : []
  const email = session.customer_email ?? entry.email
  const method = newPaymentMethod(entry.card, email, moment)
  const { needsAuthentication, decline } = entry.behaviour
  const started = {
    ...checkout,
    intent,
    method,
    session: { ...session, payment_intent: intent.id },
  }
  const next = needsAuthentication
    ? askAuthentication(started.session, intent, method)
    : settle({ ...started, method }, decline, moment)
  return {
    ...next,
    saved: [method, ...next.saved],
    events: [...events, ...next.events],
    pendingDecline: needsAuthentication ? decline : null,
  }
}

/** The shopper comes back from the bank's authentication page. */
export function finishAuthentication(
  checkout: Checkout & { intent: Intent; method: PaymentMethod },
  isCompleted: boolean,
  moment: Moment,
): Decision<PaymentOutcome> {
  if (isCompleted) return settle(checkout, checkout.pendingDecline, moment)
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

function askAuthentication(
  session: Session,
  intent: Intent,
  method: PaymentMethod,
): Decision<PaymentOutcome> {
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

function settle(
  checkout: Checkout & { intent: Intent; method: PaymentMethod },
  decline: Decline | null,
  moment: Moment,
): Decision<PaymentOutcome> {
  const charge = newCharge(checkout.intent, checkout.method, decline, moment)
  return decline === null ? succeed(checkout, charge) : fail(checkout, charge, decline)
}

function succeed(
  { session, intent, method }: Checkout & { intent: Intent; method: PaymentMethod },
  charge: Charge,
): Decision<PaymentOutcome> {
  const paid: Intent = {
    ...intent,
    status: 'succeeded',
    amount_received: intent.amount,
    latest_charge: charge.id,
    payment_method: method.id,
    last_payment_error: null,
    next_action: null,
  }
  const complete: Session = {
    ...session,
    status: 'complete',
    payment_status: 'paid',
    payment_intent: paid.id,
    customer_details: customerDetails(method.billing_details.email),
    url: null,
  }
  return {
    outcome: { kind: 'paid' },
    saved: [charge, paid, complete],
    events: [
      { type: 'charge.succeeded', object: charge },
      { type: 'payment_intent.succeeded', object: paid },
      { type: 'checkout.session.completed', object: complete },
    ],
  }
}

function fail(
  { session, intent, method }: Checkout & { intent: Intent; method: PaymentMethod },
  charge: Charge,
  decline: Decline,
): Decision<PaymentOutcome> {
  const failed: Intent = {
    ...intent,
    status: 'requires_payment_method',
    latest_charge: charge.id,
    payment_method: null,
    next_action: null,
    last_payment_error: {
      type: 'card_error',
      charge: charge.id,
      code: decline.code,
      decline_code: decline.declineCode,
      doc_url: `https://stripe.com/docs/error-codes/${decline.code.replaceAll('_', '-')}`,
      message: decline.message,
      payment_method: method,
    },
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
      ...(intent ? [{ type: 'payment_intent.canceled', object: intent }] : []),
      { type: 'checkout.session.expired', object: expired },
    ],
  }
}

/** Gives back all that is left of a charge, or the amount asked for. */
export function refund(
  charge: Charge,
  request: { amount: number | undefined; reason: string | undefined; metadata: Metadata },
  moment: Moment,
): Decision<Refund> {
  const left = charge.amount_captured - charge.amount_refunded
  if (charge.refunded || left <= 0) {
    const message = `Charge ${charge.id} has already been refunded.`
    throw refused(message, { code: 'charge_already_refunded' })
  }
  const amount = request.amount ?? left
  if (amount > left) {
    const asked = formatMoney(amount, charge.currency)
    const message = `Refund amount (${asked}) is greater than unrefunded amount on charge (${formatMoney(left, charge.currency)})`
    throw refused(message, { param: 'amount' })
  }
  const created = newRefund(charge, { ...request, amount }, moment)
  const amountRefunded = charge.amount_refunded + amount
  const changed: Charge = {
    ...charge,
    amount_refunded: amountRefunded,
    refunded: amountRefunded === charge.amount_captured,
  }
  const previous = { amount_refunded: charge.amount_refunded, refunded: charge.refunded }
  return {
    outcome: created,
    saved: [created, changed],
    events: [
      { type: 'refund.created', object: created },
      { type: 'charge.refunded', object: changed, previous },
    ],
  }
}

const formats = new Map<string, Intl.NumberFormat>()

/** An amount in minor units as people write it. */
export function formatMoney(amountMinor: number, currency: string): string {
  const known = formats.get(currency)
  const format = known ?? new Intl.NumberFormat('en-US', { style: 'currency', currency })
  if (known === undefined) formats.set(currency, format)
  return format.format(amountMinor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
}
