import type { Payment } from '../domain/decision.ts'
import {
  type RefundTerms,
  refund,
  refuseCancellation,
  renameRefund,
  settleRefund,
} from '../domain/refunds.ts'
import { invalid, refused } from '../errors.ts'
import type { Metadata } from '../parameters.ts'
import type { Charge } from '../shapes/charges.ts'
import type { Intent } from '../shapes/intents.ts'
import type { Refund } from '../shapes/refunds.ts'
import { type Cause, type Deps, momentOf } from './deps.ts'
import { findPayment, mustFind } from './find.ts'
import { save } from './save.ts'

/** How a caller names the money: by its intent, its charge, or both. */
export type Target = { intentId: string | undefined; chargeId: string | undefined }

export function createRefund(deps: Deps, request: Target & RefundTerms, cause: Cause): Refund {
  const payment = paymentOf(deps, request)
  // What was only held is cancelled, not refunded.
  if (!payment.charge.captured && !payment.charge.refunded) throw nothingToRefund(payment.intent.id)
  return save(deps, refund(payment, request, momentOf(deps)), cause)
}

export function paymentOf(deps: Deps, { intentId, chargeId }: Target): Payment {
  if (intentId === undefined && chargeId === undefined) {
    const message =
      'One of the following params should be provided for this request: payment_intent or charge.'
    throw invalid(message, { code: 'parameter_missing' })
  }
  const charge =
    chargeId === undefined
      ? undefined
      : mustFind<Charge>(deps, 'charge', { id: chargeId, param: 'charge' })
  const id = intentId ?? String(charge?.payment_intent)
  mustFind<Intent>(deps, 'payment_intent', { id, param: 'payment_intent' })
  const payment = findPayment(deps, id)
  if (payment === null || !payment.charge.paid) throw nothingToRefund(id)
  if (charge !== undefined && charge.id !== payment.charge.id) throw nothingToRefund(id)
  return payment
}

function nothingToRefund(intentId: string) {
  const message = `This PaymentIntent (${intentId}) does not have a successful charge to refund.`
  return refused(message, { code: 'payment_intent_unexpected_state', param: 'payment_intent' })
}

export function updateRefund(
  deps: Deps,
  request: { refundId: string; metadata: Metadata },
  cause: Cause,
): Refund {
  const found = mustFind<Refund>(deps, 'refund', { id: request.refundId, param: 'refund' })
  return save(deps, renameRefund(found, request.metadata), cause)
}

export function cancelRefund(deps: Deps, refundId: string): Refund {
  throw refuseCancellation(mustFind<Refund>(deps, 'refund', { id: refundId, param: 'refund' }))
}

/** The bank's answer to a refund, or a cancellation by hand in the dashboard. */
export function endRefund(
  deps: Deps,
  request: { refundId: string; outcome: 'succeeded' | 'failed' | 'canceled' },
  cause: Cause,
): Refund {
  const found = mustFind<Refund>(deps, 'refund', { id: request.refundId, param: 'refund' })
  const charge = mustFind<Charge>(deps, 'charge', { id: String(found.charge), param: 'charge' })
  return save(deps, settleRefund(found, charge, request.outcome), cause)
}
