import { checkSameTerms, checkTerms, paymentCancelled, type Terms } from '../domain.ts'
import type { Deps } from '../ports.ts'

/**
 * The payment of an order: made once, answered the same ever after. The payment is kept before the
 * provider is asked, and asked again with the same key and terms when an answer was lost, so that
 * there is one session however often this is tried.
 * @throws conflict `PAYMENT_MISMATCH`, `PAYMENT_CANCELLED`; what the provider throws.
 */
export async function createPayment(
  { payments, provider, newId }: Deps,
  { orderId, ...asked }: Terms & { orderId: string },
): Promise<{ paymentId: string; redirectUrl: string }> {
  checkTerms(asked)
  const payment = await payments.create({ id: newId(), orderId, terms: asked })
  const { id } = payment
  const terms = checkSameTerms(payment, asked.amount)
  if (payment.session) return { paymentId: id, redirectUrl: payment.session.url }
  const session = await provider.createSession({ id, orderId, terms })
  const opened = await payments.open(id, session)
  if (opened.status === 'cancelled') {
    await provider.expireSession(session.id)
    throw paymentCancelled()
  }
  return { paymentId: id, redirectUrl: session.url }
}
