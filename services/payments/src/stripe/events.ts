import { AppError } from '@halles/kit/errors'
import { isUuid } from '@halles/kit/ids'
import Stripe from 'stripe'
import type { Notice, ProviderEvent } from '../domain/events.ts'
import type { Phase } from '../domain/state.ts'
import { fromProviderAmount } from './amounts.ts'
import { amountOf } from './snapshots.ts'

// What Stripe's own libraries allow: clocks differ and a message may wait, a copied one is older.
const toleranceSeconds = 300

/** Verifies the signature over the exact bytes, by whichever secret is active, and reads the event. */
export function createEventVerifier(
  stripe: Stripe,
  secrets: readonly string[],
): (rawBody: Buffer, signature: string | undefined) => ProviderEvent {
  return (rawBody, signature) => {
    const payload = rawBody.toString('utf8')
    return toProviderEvent(verify(stripe, { payload, signature, secrets }), payload)
  }
}

function verify(
  { webhooks }: Stripe,
  input: { payload: string; signature: string | undefined; secrets: readonly string[] },
): Stripe.Event {
  const { payload, signature, secrets } = input
  for (const secret of secrets) {
    try {
      return webhooks.constructEvent(payload, signature ?? '', secret, toleranceSeconds)
    } catch (error) {
      if (!(error instanceof Stripe.errors.StripeSignatureVerificationError)) {
        throw malformed(error)
      }
    }
  }
  throw new AppError(
    'invalid',
    'INVALID_SIGNATURE',
    'The notification is not signed by the provider, or too long ago.',
    { errors: [{ pointer: '/headers/stripe-signature', detail: 'does not verify' }] },
  )
}

function malformed(cause?: unknown): AppError {
  return new AppError('invalid', 'MALFORMED_EVENT', 'The notification is no event.', { cause })
}

/** What is acted on; Stripe takes at most twenty in a question. */
export const handledTypes = [
  'checkout.session.completed',
  'checkout.session.expired',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  'payment_intent.succeeded',
  'payment_intent.payment_failed',
  'payment_intent.canceled',
  'payment_intent.amount_capturable_updated',
  'payment_intent.processing',
  'charge.captured',
  'charge.refunded',
  'refund.created',
  'refund.updated',
  'refund.failed',
  'charge.refund.updated',
  'charge.dispute.created',
  'charge.dispute.updated',
  'charge.dispute.closed',
  'charge.dispute.funds_withdrawn',
  'charge.dispute.funds_reinstated',
] as const satisfies readonly Stripe.Event['type'][]

/** The event of a text that was verified before. */
export function readEvent(payload: string): ProviderEvent {
  return toProviderEvent(JSON.parse(payload) as Stripe.Event, payload)
}

function toProviderEvent(event: Partial<Stripe.Event> | null, payload: string): ProviderEvent {
  const { id, type, data } = event ?? {}
  if (typeof id !== 'string' || typeof type !== 'string' || !data?.object) throw malformed()
  return { id, type, payload, notice: toNotice(event as Stripe.Event) }
}

/** Null for what says nothing of a payment. */
function toNotice(event: Stripe.Event): Notice | null {
  switch (event.type) {
    case 'checkout.session.completed':
    case 'checkout.session.async_payment_succeeded':
      return sessionNotice(
        event.data.object,
        // Unpaid: the money takes days, or is only held.
        event.data.object.payment_status === 'unpaid' ? null : 'captured',
      )
    case 'checkout.session.expired':
    case 'checkout.session.async_payment_failed':
      return sessionNotice(event.data.object, 'ended')
    case 'payment_intent.succeeded':
    case 'payment_intent.payment_failed':
    case 'payment_intent.canceled':
    case 'payment_intent.amount_capturable_updated':
    case 'payment_intent.processing':
      return intentNotice(event.data.object)
    case 'charge.captured':
    case 'charge.refunded':
    case 'refund.created':
    case 'refund.updated':
    case 'refund.failed':
    case 'charge.refund.updated':
    case 'charge.dispute.created':
    case 'charge.dispute.updated':
    case 'charge.dispute.closed':
    case 'charge.dispute.funds_withdrawn':
    case 'charge.dispute.funds_reinstated':
      return partNotice(event.data.object)
    default:
      return null
  }
}

/** An event of a session tells all there is to know, when it was paid at once or not at all. */
function sessionNotice(session: Stripe.Checkout.Session, phase: Phase | null): Notice | null {
  const ids = idsOf(session.metadata)
  if (!ids) return null
  const intentId = idOf(session.payment_intent)
  const amount = amountOf(session)
  const capturedMinor = phase === 'captured' ? (amount?.amountMinor ?? 0) : 0
  const state = phase && { phase, capturedMinor, refunds: [], disputes: [] }
  return { ...ids, sessionId: session.id, intentId, seen: state && { state, amount, intentId } }
}

/** Money that was taken is told in full, anything else is asked for. */
function intentNotice(intent: Stripe.PaymentIntent): Notice | null {
  const ids = idsOf(intent.metadata)
  if (!ids) return null
  const { id: intentId, amount_received: received, currency } = intent
  const isTaken = intent.status === 'succeeded'
  const capturedMinor = fromProviderAmount(received, currency).amountMinor
  const state = { phase: 'captured' as const, capturedMinor, refunds: [], disputes: [] }
  const seen = isTaken ? { state, amount: null, intentId } : null
  return { ...ids, sessionId: null, intentId, seen }
}

type Part = Stripe.Charge | Stripe.Refund | Stripe.Dispute

/** A refund or a dispute alone says nothing of the others: the payment is asked for. */
function partNotice({ metadata, payment_intent: intent }: Part): Notice | null {
  const intentId = idOf(intent)
  if (intentId === null) return null
  const none = { paymentId: null, orderId: null }
  return { ...(idsOf(metadata) ?? none), sessionId: null, intentId, seen: null }
}

/** The ids of ours that were kept with an object. */
export function idsOf(
  metadata: Stripe.Metadata | null,
): { paymentId: string; orderId: string } | null {
  const { order_id: orderId = '', payment_id: paymentId = '' } = metadata ?? {}
  return isUuid(orderId) && isUuid(paymentId) ? { paymentId, orderId } : null
}

function idOf(reference: string | { id: string } | null): string | null {
  return typeof reference === 'string' ? reference : (reference?.id ?? null)
}
