import {
  descriptor,
  type OrdersServiceRpcs,
  type Settlement as SettlementReply,
  serviceName,
} from '@halles/contracts/gen/grpc/orders'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { createGrpcClient } from '@halles/kit/grpc-client'
import type { Logger } from '@halles/kit/logging'
import type { Metrics } from '@halles/kit/metrics'
import type { Settlement } from './domain/events.ts'
import type { Orders } from './ports.ts'
import { toStateMessage } from './state-message.ts'

// One locked step in orders. The provider waits some 10 s for our answer, and money of a dead order
// must go back, and orders be told of it, in the same time.
const settleDeadlineMs = 4_000

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
  logger: Logger
}): Orders & { start(): Promise<void>; close(): Promise<void> } {
  const client = createGrpcClient<OrdersServiceRpcs>({
    name: 'orders',
    caller: 'payments',
    addresses: options.ordersGrpc,
    internalSecret: options.internalSecret,
    metrics: options.metrics,
    logger: options.logger,
    probing: {},
    definition: toServiceDefinition(descriptor, serviceName),
    defaultDeadlineMs: settleDeadlineMs,
  })
  return {
    async settlePayment(payment, cause) {
      const { orderId } = payment
      const state = toStateMessage(payment)
      const { settlement } = await client.settlePayment({ orderId, cause, state })
      const known = settlements[settlement]
      if (!known) throw new Error(`orders answered ${settlement} to a settlement.`)
      return known
    },
    start: client.start,
    close: client.close,
  }
}
