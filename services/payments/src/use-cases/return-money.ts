import { AppError } from '@halles/kit/errors'
import {
  learn,
  learnRefund,
  type Payment,
  refundOf,
  refuseRefund,
  requestReturn,
  toRefundRefusal,
} from '../domain/payment.ts'
import { type OwnRefund, unansweredRefunds } from '../domain/state.ts'
import type { Deps } from '../ports.ts'
import { mustReferences } from './references.ts'

/**
 * Returns all the money of a payment: what is held is let go, what was taken is refunded. Each refund
 * is recorded before the provider is asked, so that one that broke off is carried out by whoever
 * comes next and nothing is returned twice. What cannot be returned now is left as it is.
 */
export async function returnMoney(deps: Deps, known: Payment): Promise<Payment> {
  let payment = known
  if (payment.state.phase === 'authorized') {
    const seen = await deps.providers[payment.provider].release(mustReferences(payment))
    payment = await deps.payments.update(payment, (each) => learn(each, seen))
  }
  const freshId = deps.newId()
  const planned = await deps.payments.update(payment, (each) => requestReturn(each, freshId))
  return finishRefunds(deps, planned, freshId)
}

/** Carries out every refund that is recorded and not answered by the provider. */
export async function finishRefunds(
  deps: Deps,
  planned: Payment,
  freshId?: string,
): Promise<Payment> {
  let payment = planned
  for (const refund of unansweredRefunds(planned.state)) {
    const isRepeated = refund.id !== freshId
    const made = await makeRefund(deps, payment, { ...refund, isRepeated })
    payment = made.payment
    const paymentId = payment.id
    if (made.refusal) {
      const { code } = made.refusal
      deps.log.warn({ paymentId, refundId: refund.id, code }, 'A refund was refused.')
    } else {
      deps.log.info({ paymentId, refundId: refund.id }, 'Money was returned.')
    }
  }
  return payment
}

/** Asks the provider for a recorded refund. A refusal for good is kept: the refund has failed. */
export async function makeRefund(
  deps: Deps,
  payment: Payment,
  refund: OwnRefund & { isRepeated: boolean },
): Promise<{ payment: Payment; refusal: AppError | null }> {
  const provider = deps.providers[payment.provider]
  const references = mustReferences(payment)
  try {
    const made = await provider.refund(references, refund)
    const updated = await deps.payments.update(payment, (each) => learnRefund(each, made))
    return { payment: updated, refusal: null }
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'PROVIDER_REFUSED') throw error
    // The money may have moved since we last heard of it, or the bank has taken it back.
    const seen = await provider.read(references)
    const updated = await deps.payments.update(payment, (each) =>
      refuseRefund(learn(each, seen), refund.id),
    )
    const isFailed = refundOf(updated, refund.id)?.phase === 'failed'
    const refusal = isFailed ? toRefundRefusal(updated, refund.amountMinor) : null
    return { payment: updated, refusal }
  }
}
