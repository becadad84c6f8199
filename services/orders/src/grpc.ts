import {
  descriptor,
  type OrdersServiceRpcs,
  type Settlement as SettlementReply,
  serviceName,
} from '@halles/contracts/gen/grpc/orders'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { type GrpcService, grpcService } from '@halles/kit/grpc-server'
import { isUuid } from '@halles/kit/ids'
import { type Actor, orderNotFound } from './domain/order.ts'
import type { Settlement } from './domain/settle.ts'
import { toPaymentState } from './payment-states.ts'
import type { Deps } from './ports.ts'
import { settlePayment } from './use-cases/settle-payment.ts'

const replies: Readonly<Record<Settlement, SettlementReply>> = {
  applied: 'SETTLEMENT_APPLIED',
  duplicate: 'SETTLEMENT_DUPLICATE',
  'refund-due': 'SETTLEMENT_REFUND_DUE',
}

/** The gRPC edge. */
export function ordersService(deps: Deps): GrpcService {
  return grpcService<OrdersServiceRpcs>(toServiceDefinition(descriptor, serviceName), {
    async settlePayment({ orderId, cause, state: told }) {
      if (!isUuid(orderId)) throw orderNotFound()
      const state = toPaymentState(told)
      const settlement = await settlePayment(deps, {
        orderId: orderId.toLowerCase(),
        state,
        actor: toActor(cause),
        cause: cause === '' ? null : cause,
      })
      return { settlement: replies[settlement] }
    },
  })
}

/** Whose doing the news is. */
function toActor(cause: string): Actor {
  const [kind, subjectId = ''] = cause.split(':')
  if (kind === 'receipt' || kind === 'sent') {
    return { kind: 'staff', subjectId: isUuid(subjectId) ? subjectId : null }
  }
  if (kind === 'reconciliation') return { kind: 'system', subjectId: null }
  return { kind: 'provider', subjectId: null }
}
