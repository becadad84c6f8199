import {
  descriptor,
  type OrdersServiceRpcs,
  type PaymentOutcome,
  type Settlement as SettlementReply,
  serviceName,
} from '@halles/contracts/gen/grpc/orders'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { createGrpcClient } from '@halles/kit/grpc-client'
import type { Metrics } from '@halles/kit/metrics'
import type { PaymentNotice, Settlement } from './domain.ts'
import type { Orders } from './ports.ts'

// One locked step in orders; the provider waits for our answer some 10 s.
const settleDeadlineMs = 5_000

const outcomes: Readonly<Record<PaymentNotice['outcome'], PaymentOutcome>> = {
  paid: 'PAYMENT_OUTCOME_PAID',
  expired: 'PAYMENT_OUTCOME_EXPIRED',
}
const settlements: Readonly<Partial<Record<SettlementReply, Settlement>>> = {
  SETTLEMENT_APPLIED: 'applied',
  SETTLEMENT_DUPLICATE: 'duplicate',
  SETTLEMENT_REFUND_DUE: 'refund-due',
}

/** Orders, over gRPC. */
export function createOrdersClient(options: {
  ordersGrpc: readonly string[]
  internalSecret: string
  metrics: Metrics
}): Orders & { close(): void } {
  const client = createGrpcClient<OrdersServiceRpcs>({
    name: 'orders',
    caller: 'payments',
    addresses: options.ordersGrpc,
    internalSecret: options.internalSecret,
    metrics: options.metrics,
    definition: toServiceDefinition(descriptor, serviceName),
    defaultDeadlineMs: settleDeadlineMs,
  })
  return {
    async settlePayment({ orderId, paymentId, providerEventId, outcome, amount }) {
      const { settlement } = await client.settlePayment({
        orderId,
        paymentId,
        providerEventId,
        outcome: outcomes[outcome],
        amountMinor: amount.amountMinor,
        currency: amount.currency,
      })
      const known = settlements[settlement]
      if (!known) throw new Error(`orders answered ${settlement} to a settlement.`)
      return known
    },
    close: () => client.close(),
  }
}
