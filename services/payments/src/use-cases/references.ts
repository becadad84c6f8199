import { type Payment, paymentNotFound } from '../domain/payment.ts'
import type { Deps, References } from '../ports.ts'

/** By what the provider knows the payment; null as long as it has not answered. */
export function referencesOf({
  id,
  orderId,
  session,
  intentId,
  terms,
}: Payment): References | null {
  if (!session || !terms) return null
  const { currency } = terms.amount
  return { paymentId: id, orderId, sessionId: session.id, intentId, currency }
}

/** The same where there must be a session, since money moved or is to move. */
export function mustReferences(payment: Payment): References {
  const references = referencesOf(payment)
  if (!references) throw new Error('A payment that can be paid has no session.')
  return references
}

/** @throws not-found `PAYMENT_NOT_FOUND`. */
export async function paymentOfOrder(
  { payments }: Pick<Deps, 'payments'>,
  orderId: string,
): Promise<Payment> {
  const payment = await payments.findByOrder(orderId)
  if (!payment) throw paymentNotFound()
  return payment
}
