import { annotate } from '@halles/kit/spans'
import {
  checkSameTerms,
  checkTerms,
  type ProviderName,
  paymentCancelled,
  type Terms,
} from '../domain/payment.ts'
import type { Deps } from '../ports.ts'
import { mustReferences } from './references.ts'

export type CreatePayment = Terms & { orderId: string; provider: ProviderName }

/**
 * The payment of an order: made once, answered the same ever after. The payment is kept before the
 * provider is asked, and asked again with the same key and terms when an answer was lost, so that
 * there is one session however often this is tried.
 * @throws conflict `PAYMENT_MISMATCH`, `PAYMENT_CANCELLED`; what the provider throws.
 */
export async function createPayment(
  deps: Deps,
  { orderId, provider: name, ...asked }: CreatePayment,
): Promise<{ paymentId: string; redirectUrl: string }> {
  checkTerms(asked)
  const { payments, captureMethod } = deps
  const payment = await payments.create({
    id: deps.newId(),
    orderId,
    provider: name,
    captureMethod,
    terms: asked,
  })
  const { id } = payment
  annotate('halles.payment.id', id)
  const terms = checkSameTerms(payment, { amount: asked.amount, provider: name })
  if (payment.session) return { paymentId: id, redirectUrl: payment.session.url }
  const provider = deps.providers[name]
  const ofPayment = { id, orderId, terms, captureMethod: payment.captureMethod }
  const session = await provider.createSession(ofPayment)
  const opened = await payments.open(id, session)
  if (opened.isClosed) {
    await provider.expire(mustReferences(opened))
    throw paymentCancelled()
  }
  return { paymentId: id, redirectUrl: session.url }
}
