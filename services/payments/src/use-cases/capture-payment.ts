import { learn, mustCapture, type Payment } from '../domain/payment.ts'
import type { Deps } from '../ports.ts'
import { mustReferences, paymentOfOrder, referencesOf } from './references.ts'

/**
 * Takes money that is held. Taking it again changes nothing and answers the same, since the provider
 * takes what it holds only once.
 * @throws not-found `PAYMENT_NOT_FOUND`; conflict `PAYMENT_NOT_AUTHORIZED`, `CAPTURE_TOO_LARGE`;
 *   what the provider throws.
 */
export async function capturePayment(
  deps: Deps,
  { orderId, amountMinor }: { orderId: string; amountMinor: number },
): Promise<Payment> {
  let payment = await paymentOfOrder(deps, orderId)
  const provider = deps.providers[payment.provider]
  const references = referencesOf(payment)
  const { phase } = payment.state
  // The provider's notification may still be on its way.
  if (references && (phase === 'open' || phase === 'processing')) {
    const seen = await provider.read(references)
    payment = await deps.payments.update(payment, (each) => learn(each, seen))
  }
  if (!mustCapture(payment, amountMinor)) return payment
  const seen = await provider.capture(mustReferences(payment), amountMinor)
  const captured = await deps.payments.update(payment, (each) => learn(each, seen))
  // Throws when what was held had been let go before the provider was asked.
  mustCapture(captured, amountMinor)
  return captured
}
