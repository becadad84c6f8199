import type Stripe from 'stripe'
import type { Behaviour } from '../cards.ts'
import type { SessionParameters } from '../session-parameters.ts'
import type { Charge } from '../shapes/charges.ts'
import type { Dispute } from '../shapes/disputes.ts'
import type { Intent } from '../shapes/intents.ts'
import type { PaymentMethod } from '../shapes/payment-methods.ts'
import type { Refund } from '../shapes/refunds.ts'
import type { LineItem, Session } from '../shapes/sessions.ts'

export type ApiObject = Session | Intent | Charge | Refund | PaymentMethod | Dispute

/** What the wire object does not show but the hosted page needs. */
export type SessionDetails = { lines: LineItem[]; intent: SessionParameters['intent'] }

/** A checkout under way: the session and, once the shopper tried to pay, its payment intent. */
export type Checkout = {
  session: Session
  details: SessionDetails
  intent: Intent | null
  /** The card that waits for authentication. */
  method: PaymentMethod | null
  behaviour: Behaviour
}

/** A payment that was made or is under way: its charge and what is known of its card or account. */
export type Payment = {
  session: Session | null
  intent: Intent
  charge: Charge
  behaviour: Behaviour
  /** Those that took money and were not won. */
  hasOpenDispute: boolean
}

export const eventTypes = [
  'charge.captured',
  'charge.dispute.closed',
  'charge.dispute.created',
  'charge.dispute.funds_reinstated',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.updated',
  'charge.expired',
  'charge.failed',
  'charge.pending',
  'charge.refund.updated',
  'charge.refunded',
  'charge.succeeded',
  'checkout.session.async_payment_failed',
  'checkout.session.async_payment_succeeded',
  'checkout.session.completed',
  'checkout.session.expired',
  'payment_intent.amount_capturable_updated',
  'payment_intent.canceled',
  'payment_intent.created',
  'payment_intent.payment_failed',
  'payment_intent.processing',
  'payment_intent.requires_action',
  'payment_intent.succeeded',
  'refund.created',
  'refund.failed',
  'refund.updated',
] as const satisfies Stripe.Event['type'][]

export type EventType = (typeof eventTypes)[number]
type DataOf<T> = Extract<Stripe.Event, { type: T }>['data']

/** An event in the making; the compiler holds object and type together as the SDK does. */
export type EventDraft = {
  [T in EventType]: {
    type: T
    object: DataOf<T>['object']
    previous?: DataOf<T> extends { previous_attributes?: infer P } ? P : never
  }
}[EventType]

export const taskKinds = ['debit', 'refund', 'dispute', 'verdict', 'authorization_end'] as const

/** What a bank or a card network will do later. */
export type Task = {
  kind: (typeof taskKinds)[number]
  objectId: string
  /** What it will say, where that is decided now. */
  outcome: string
  /** In bank time, that is compressed; an authorization has a term of its own. */
  delay: 'none' | 'bank' | 'slow-bank' | 'authorization'
}

/** Objects to save and events to send, in order. */
export type Decision<Outcome> = {
  outcome: Outcome
  saved: ApiObject[]
  events: EventDraft[]
  tasks?: Task[]
  /** What will happen to payments by a new card or account. */
  behaviour?: Behaviour
}
