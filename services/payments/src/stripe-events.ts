import { AppError } from '@halles/kit/errors'
import { isUuid } from '@halles/kit/ids'
import Stripe from 'stripe'
import type { PaymentNotice, ProviderEvent } from './domain.ts'
import { fromProviderAmount } from './stripe-amounts.ts'

// What Stripe's own libraries allow: clocks differ and a message may wait, a copied one is older.
const toleranceSeconds = 300

/** Verifies the signature over the exact bytes, by whichever secret is active, and reads the event. */
export function createEventVerifier(
  stripe: Stripe,
  secrets: readonly string[],
): (rawBody: Buffer, signature: string | undefined) => ProviderEvent {
  return (rawBody, signature) => {
    const payload = rawBody.toString('utf8')
    const event: Partial<Stripe.Event> | null = verify(stripe, { payload, signature, secrets })
    const { id, type, data } = event ?? {}
    if (typeof id !== 'string' || typeof type !== 'string' || !data?.object) throw malformed()
    return { id, type, payload, notice: toNotice(event as Stripe.Event) }
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

/** Null for what is no news of a payment of ours. */
function toNotice(event: Stripe.Event): PaymentNotice | null {
  switch (event.type) {
    case 'checkout.session.completed':
      // Unpaid: the shopper chose a method that takes days, and its outcome is an event of its own.
      return event.data.object.payment_status === 'unpaid'
        ? null
        : toSessionNotice('paid', event.data.object)
    case 'checkout.session.async_payment_succeeded':
      return toSessionNotice('paid', event.data.object)
    case 'checkout.session.async_payment_failed':
    case 'checkout.session.expired':
      return toSessionNotice('expired', event.data.object)
    default:
      return null
  }
}

function toSessionNotice(
  outcome: PaymentNotice['outcome'],
  session: Stripe.Checkout.Session,
): PaymentNotice | null {
  const { metadata, payment_intent: intent, amount_total: amount, currency } = session
  const { order_id: orderId = '', payment_id: paymentId = '' } = metadata ?? {}
  if (!isUuid(orderId) || !isUuid(paymentId)) return null
  return {
    outcome,
    orderId,
    paymentId,
    chargeReference: typeof intent === 'string' ? intent : (intent?.id ?? null),
    amount: fromProviderAmount(amount ?? 0, currency ?? ''),
  }
}
