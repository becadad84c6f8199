import { AppError } from '@halles/kit/errors'
import type { Payment } from '../domain.ts'
import type { Deps, SessionState } from '../ports.ts'

export type CancelOutcome = 'cancelled' | 'refunded'

/**
 * Ends the payment of an order for good: nothing can be paid afterwards, and what was paid goes back
 * in full. Each step may be repeated, so a call that failed half-way is simply made again.
 */
export async function cancelPayment(deps: Deps, orderId: string): Promise<CancelOutcome> {
  const payment = await deps.payments.close(orderId, deps.newId())
  const { status, session } = payment
  if (status === 'cancelled' || status === 'refunded') return status
  if (!session) throw new Error('A payment that can be paid has no session.')
  const state =
    status === 'open'
      ? await deps.provider.expireSession(session.id)
      : await deps.provider.retrieveSession(session.id)
  return endPayment(deps, payment, state)
}

async function endPayment(
  deps: Deps,
  payment: Payment,
  state: SessionState,
): Promise<CancelOutcome> {
  if (state.status === 'expired') {
    await deps.payments.recordCancelled(payment.id)
    return 'cancelled'
  }
  if (state.status !== 'complete' || !state.isPaid) {
    throw new AppError(
      'conflict',
      'PAYMENT_PROCESSING',
      'The provider has not decided on this payment yet. Try again later.',
    )
  }
  await refundInFull(deps, { id: payment.id, chargeReference: state.chargeReference })
  return 'refunded'
}

/** Returns the money of a payment, once: the provider knows the repetition by the payment's id. */
export async function refundInFull(
  { provider, payments, log }: Pick<Deps, 'provider' | 'payments' | 'log'>,
  { id, chargeReference }: { id: string; chargeReference: string | null },
): Promise<void> {
  const refundId = chargeReference === null ? null : await provider.refund({ id, chargeReference })
  await payments.recordRefund(id, refundId)
  log.info({ paymentId: id, refundId }, 'A payment was returned in full.')
}
