import type {
  DisputePhase,
  PaymentPhase,
  PaymentState,
  RefundPhase,
} from '@halles/contracts/gen/grpc/payments'
import type { Payment } from './domain/payment.ts'
import type { Dispute, RefundPhase as OwnRefundPhase, Phase } from './domain/state.ts'

const phases: Readonly<Record<Phase, PaymentPhase>> = {
  open: 'PAYMENT_PHASE_OPEN',
  processing: 'PAYMENT_PHASE_PROCESSING',
  authorized: 'PAYMENT_PHASE_AUTHORIZED',
  captured: 'PAYMENT_PHASE_CAPTURED',
  ended: 'PAYMENT_PHASE_ENDED',
}
const refundPhases: Readonly<Record<OwnRefundPhase, RefundPhase>> = {
  pending: 'REFUND_PHASE_PENDING',
  succeeded: 'REFUND_PHASE_SUCCEEDED',
  failed: 'REFUND_PHASE_FAILED',
}
const disputePhases: Readonly<Record<Dispute['phase'], DisputePhase>> = {
  open: 'DISPUTE_PHASE_OPEN',
  won: 'DISPUTE_PHASE_WON',
  lost: 'DISPUTE_PHASE_LOST',
}

/** The state of a payment as orders hears it. */
export function toStateMessage({ id, revision, state, terms }: Payment): PaymentState {
  return {
    paymentId: id,
    revision,
    phase: phases[state.phase],
    currency: terms?.amount.currency ?? '',
    amountMinor: terms?.amount.amountMinor ?? 0,
    capturedMinor: state.capturedMinor,
    refunds: state.refunds.map((refund) => ({
      refundId: refund.id ?? '',
      providerRefundId: refund.providerId ?? '',
      amountMinor: refund.amountMinor,
      phase: refundPhases[refund.phase],
    })),
    disputes: state.disputes.map((dispute) => ({
      providerDisputeId: dispute.id,
      amountMinor: dispute.amountMinor,
      phase: disputePhases[dispute.phase],
    })),
  }
}
