import {
  descriptor,
  type OrdersServiceRpcs,
  type PaymentOutcome,
  type Settlement as SettlementReply,
  serviceName,
} from '@halles/contracts/gen/grpc/orders'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { AppError } from '@halles/kit/errors'
import { type GrpcService, grpcService } from '@halles/kit/grpc-server'
import { isUuid } from '@halles/kit/ids'
import { orderNotFound, type Settlement } from './domain/order.ts'
import type { Deps } from './ports.ts'
import { settlePayment } from './use-cases/settle-payment.ts'

const outcomes: Readonly<Partial<Record<PaymentOutcome, 'paid' | 'expired'>>> = {
  PAYMENT_OUTCOME_PAID: 'paid',
  PAYMENT_OUTCOME_EXPIRED: 'expired',
}
const replies: Readonly<Record<Settlement, SettlementReply>> = {
  applied: 'SETTLEMENT_APPLIED',
  duplicate: 'SETTLEMENT_DUPLICATE',
  'refund-due': 'SETTLEMENT_REFUND_DUE',
}

/** The gRPC edge. */
export function ordersService(deps: Deps): GrpcService {
  return grpcService<OrdersServiceRpcs>(toServiceDefinition(descriptor, serviceName), {
    async settlePayment({ orderId, paymentId, outcome: told, amountMinor, currency }) {
      const outcome = outcomes[told]
      if (!outcome) throw new AppError('invalid', 'INVALID_REQUEST', 'The outcome is not known.')
      if (!isUuid(orderId)) throw orderNotFound()
      const amount = { amountMinor, currency }
      const settlement = await settlePayment(deps, { orderId, paymentId, outcome, amount })
      return { settlement: replies[settlement] }
    },
  })
}
