import type {
  DisputePhase,
  PaymentState as PaymentStateMessage,
  PaymentPhase as Phase,
  RefundPhase,
} from '@halles/contracts/gen/grpc/orders'
import { AppError } from '@halles/kit/errors'
import { isUuid } from '@halles/kit/ids'
import { derivedId } from './derived-ids.ts'
import type { Dispute, PaymentPhase, PaymentState } from './domain/payment.ts'

const phases: Readonly<Partial<Record<Phase, PaymentPhase>>> = {
  PAYMENT_PHASE_OPEN: 'open',
  PAYMENT_PHASE_PROCESSING: 'processing',
  PAYMENT_PHASE_AUTHORIZED: 'authorized',
  PAYMENT_PHASE_CAPTURED: 'captured',
  PAYMENT_PHASE_ENDED: 'ended',
}
const refundPhases: Readonly<Partial<Record<RefundPhase, 'pending' | 'succeeded' | 'failed'>>> = {
  REFUND_PHASE_PENDING: 'pending',
  REFUND_PHASE_SUCCEEDED: 'succeeded',
  REFUND_PHASE_FAILED: 'failed',
}
const disputePhases: Readonly<Partial<Record<DisputePhase, Dispute['phase']>>> = {
  DISPUTE_PHASE_OPEN: 'open',
  DISPUTE_PHASE_WON: 'won',
  DISPUTE_PHASE_LOST: 'lost',
}

/** The state of a payment as the message says it. @throws invalid `INVALID_REQUEST`. */
export function toPaymentState(message: PaymentStateMessage | undefined): PaymentState {
  if (!message) throw unknownValue('state')
  const { paymentId, revision, currency, amountMinor, capturedMinor } = message
  return {
    paymentId,
    revision,
    phase: known(phases[message.phase], 'phase'),
    currency,
    amountMinor,
    capturedMinor,
    refunds: message.refunds.map(({ refundId, providerRefundId, amountMinor: amount, phase }) => ({
      // One of the provider's own is known here by an id that follows from its name there.
      id: isUuid(refundId) ? refundId.toLowerCase() : derivedId('refund', providerRefundId),
      isOurs: refundId !== '',
      amountMinor: amount,
      phase: known(refundPhases[phase], 'refunds.phase'),
    })),
    disputes: message.disputes.map(({ providerDisputeId, amountMinor: amount, phase }) => ({
      id: providerDisputeId,
      amountMinor: amount,
      phase: known(disputePhases[phase], 'disputes.phase'),
    })),
  }
}

function known<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw unknownValue(field)
  return value
}

function unknownValue(field: string): AppError {
  return new AppError('invalid', 'INVALID_REQUEST', `The ${field} of the payment is not known.`)
}
