import { AppError } from '@halles/kit/errors'
import {
  learnRefund,
  type Payment,
  paymentNotFound,
  refundOf,
  requestRefund,
  toRefundRefusal,
} from '../domain/payment.ts'
import type { RefundPhase } from '../domain/state.ts'
import type { Deps } from '../ports.ts'
import { paymentOfOrder } from './references.ts'
import { makeRefund } from './return-money.ts'
import { settlePayment } from './settle-payment.ts'

export type RefundPayment = {
  orderId: string
  refundId: string
  amountMinor: number
  reason: string | null
}

/**
 * Returns money of a captured payment. The amount is checked and the refund recorded before the
 * provider is asked, so that all refunds together never exceed what was taken; the same id answers
 * the same refund.
 * @throws not-found `PAYMENT_NOT_FOUND`; conflict `PAYMENT_NOT_CAPTURED`, `PAYMENT_DISPUTED`,
 *   `REFUND_TOO_LARGE`, `REFUND_MISMATCH`; what the provider throws.
 */
export async function refundPayment(deps: Deps, asked: RefundPayment): Promise<Payment> {
  const { refundId: id, amountMinor, reason } = asked
  if (amountMinor <= 0) {
    throw new AppError('invalid', 'INVALID_REQUEST', 'A refund needs an amount.')
  }
  const known = await paymentOfOrder(deps, asked.orderId)
  const isRepeated = refundOf(known, id) !== undefined
  const payment = await deps.payments.update(known, (each) =>
    requestRefund(each, { id, amountMinor, reason }),
  )
  const refund = refundOf(payment, id)
  if (!refund) throw new Error('A refund that was recorded is gone.')
  if (refund.providerId !== null) return payment
  if (refund.phase === 'failed') throw toRefundRefusal(payment, amountMinor)
  const made = await makeRefund(deps, payment, { ...refund, isRepeated })
  if (made.refusal) throw made.refusal
  return made.payment
}

/**
 * A person has sent the money of a refund by bank transfer; settles the order with it.
 * @throws not-found `REFUND_NOT_FOUND`; conflict `PAYMENT_NOT_MANUAL`.
 */
export async function recordRefundSent(
  deps: Deps,
  { refundId, subjectId }: { refundId: string; subjectId: string },
): Promise<{ orderId: string; phase: RefundPhase }> {
  const known = await deps.payments.findByRefund(refundId)
  const refund = known && refundOf(known, refundId)
  if (!known || !refund) {
    throw new AppError('not-found', 'REFUND_NOT_FOUND', 'There is no such refund.')
  }
  if (known.provider !== 'bank-transfer') {
    const message = 'The provider sends the money of this refund by itself.'
    throw new AppError('conflict', 'PAYMENT_NOT_MANUAL', message)
  }
  const payment = await deps.payments.update(known, (each) =>
    learnRefund(each, { ...refund, phase: 'succeeded' }),
  )
  deps.log.info({ refundId, subjectId }, 'The money of a refund was sent by hand.')
  await settlePayment(deps, payment, null, { cause: `sent:${subjectId}` })
  const sent = refundOf(payment, refundId)
  if (!sent) throw paymentNotFound()
  return { orderId: payment.orderId, phase: sent.phase }
}
