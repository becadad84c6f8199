import type { Money } from '@halles/kit/money'
import { type Payment, receive } from '../domain/payment.ts'
import type { Deps } from '../ports.ts'
import { paymentOfOrder, referencesOf } from './references.ts'
import { settlePayment } from './settle-payment.ts'

/** Asks the provider how the payment stands and settles the order with it, as a webhook would. */
export async function syncPayment(deps: Deps, orderId: string): Promise<Payment> {
  const known = await paymentOfOrder(deps, orderId)
  const references = referencesOf(known)
  if (!references) return known
  const seen = await deps.providers[known.provider].read(references)
  const { payment } = await settlePayment(deps, known, seen, { cause: 'return' })
  return payment
}

export type RecordReceipt = {
  orderId: string
  amount: Money
  reference: string
  subjectId: string
}

/**
 * A person saw the money arrive; settles the order with it. Recording it again changes nothing.
 * @throws not-found `PAYMENT_NOT_FOUND`; conflict `PAYMENT_NOT_MANUAL`, `RECEIPT_MISMATCH`.
 */
export async function recordReceipt(
  deps: Deps,
  { orderId, amount, reference, subjectId }: RecordReceipt,
): Promise<Payment> {
  const known = await paymentOfOrder(deps, orderId)
  const receipt = { reference, subjectId, at: deps.clock().toISOString() }
  const received = await deps.payments.update(known, (each) => receive(each, amount, receipt))
  deps.log.info({ orderId, subjectId }, 'Money was seen to arrive.')
  const cause = `receipt:${subjectId}`
  const { payment } = await settlePayment(deps, received, null, { cause })
  return payment
}
