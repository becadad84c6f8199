import {
  descriptor,
  type PaymentMethod,
  type PaymentsServiceRpcs,
  serviceName,
} from '@halles/contracts/gen/grpc/payments'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { AppError } from '@halles/kit/errors'
import { type GrpcService, grpcService } from '@halles/kit/grpc-server'
import { isUuid } from '@halles/kit/ids'
import type { ProviderName } from './domain/payment.ts'
import type { Deps } from './ports.ts'
import { toStateMessage } from './state-message.ts'
import { cancelPayment } from './use-cases/cancel-payment.ts'
import { capturePayment } from './use-cases/capture-payment.ts'
import { createPayment } from './use-cases/create-payment.ts'
import { refundPayment } from './use-cases/refund-payment.ts'
import { recordReceipt, syncPayment } from './use-cases/sync-payment.ts'

const providers: Readonly<Record<PaymentMethod, ProviderName>> = {
  // Callers of before there was a choice do not say.
  PAYMENT_METHOD_UNSPECIFIED: 'stripe',
  PAYMENT_METHOD_ONLINE: 'stripe',
  PAYMENT_METHOD_BANK_TRANSFER: 'bank-transfer',
}

/** The gRPC edge. */
export function paymentsService(deps: Deps): GrpcService {
  return grpcService<PaymentsServiceRpcs>(toServiceDefinition(descriptor, serviceName), {
    createPayment: async (request) => {
      const { orderId, email, lines, amountMinor, currency, expiresAtSeconds, method } = request
      return createPayment(deps, {
        orderId: checkedId(orderId),
        provider: providers[method],
        email: email === '' ? null : email,
        lines,
        amount: { amountMinor, currency },
        expiresAt: new Date(expiresAtSeconds * 1_000),
      })
    },
    cancelPayment: async ({ orderId }) => ({
      state: toStateMessage(await cancelPayment(deps, checkedId(orderId))),
    }),
    capturePayment: async ({ orderId, amountMinor }) => ({
      state: toStateMessage(
        await capturePayment(deps, { orderId: checkedId(orderId), amountMinor }),
      ),
    }),
    refundPayment: async ({ orderId, refundId, amountMinor, reason }) => {
      const ids = { orderId: checkedId(orderId), refundId: checkedId(refundId) }
      const asked = { ...ids, amountMinor, reason: reason === '' ? null : reason }
      return { state: toStateMessage(await refundPayment(deps, asked)) }
    },
    syncPayment: async ({ orderId }) => ({
      state: toStateMessage(await syncPayment(deps, checkedId(orderId))),
    }),
    recordReceipt: async ({ orderId, amountMinor, currency, reference, subjectId }) => {
      const amount = { amountMinor, currency }
      const receipt = { orderId: checkedId(orderId), amount, reference, subjectId }
      return { state: toStateMessage(await recordReceipt(deps, receipt)) }
    },
  })
}

function checkedId(id: string): string {
  if (isUuid(id)) return id.toLowerCase()
  throw new AppError('invalid', 'INVALID_REQUEST', 'An id of the request is not a UUID.')
}
