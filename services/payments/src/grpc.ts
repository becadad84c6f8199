import {
  descriptor,
  type PaymentsServiceRpcs,
  serviceName,
} from '@halles/contracts/gen/grpc/payments'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { AppError } from '@halles/kit/errors'
import { type GrpcService, grpcService } from '@halles/kit/grpc-server'
import { isUuid } from '@halles/kit/ids'
import type { Deps } from './ports.ts'
import { cancelPayment } from './use-cases/cancel-payment.ts'
import { createPayment } from './use-cases/create-payment.ts'

/** The gRPC edge. */
export function paymentsService(deps: Deps): GrpcService {
  return grpcService<PaymentsServiceRpcs>(toServiceDefinition(descriptor, serviceName), {
    createPayment: async (request) => {
      const { orderId, email, lines, amountMinor, currency, expiresAtSeconds } = request
      return createPayment(deps, {
        orderId: checkedId(orderId),
        email: email === '' ? null : email,
        lines,
        amount: { amountMinor, currency },
        expiresAt: new Date(expiresAtSeconds * 1_000),
      })
    },
    cancelPayment: async ({ orderId }) => {
      const outcome = await cancelPayment(deps, checkedId(orderId))
      return {
        outcome: outcome === 'refunded' ? 'CANCEL_OUTCOME_REFUNDED' : 'CANCEL_OUTCOME_CANCELLED',
      }
    },
  })
}

function checkedId(orderId: string): string {
  if (isUuid(orderId)) return orderId
  throw new AppError('invalid', 'INVALID_REQUEST', 'The order id is not a UUID.')
}
