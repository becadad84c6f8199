import {
  address,
  orderCancelled,
  orderPaid,
  orderRefunded,
} from '@halles/contracts/gen/messages/orders'
import { createDispatcher, on } from '@halles/kit/consumer'
import type { Logger } from '@halles/kit/logging'
import type { Messaging } from '@halles/kit/messaging'
import type { Metrics } from '@halles/kit/metrics'
import type { Deps } from './ports.ts'
import { cancelReserved, sellReserved, takeBackReturned } from './use-cases/reservations.ts'

/**
 * Follows the orders: what was paid leaves the stock, what was cancelled is free again, what came
 * back with a refund is for sale again.
 */
export function consumeOrders(
  messaging: Messaging,
  deps: Deps,
  { logger, metrics }: { logger: Logger; metrics: Metrics },
): void {
  const shortfall = metrics.counter({
    name: 'stock_shortfall_total',
    help: 'Pieces that were paid for after their reservation had expired and were gone.',
  })
  messaging.subscribeTopic({
    topic: address.name,
    group: 'products',
    from: 'start',
    handler: createDispatcher(
      [
        on(orderPaid, async ({ orderId, lines }, { message }) => {
          const missing = await sellReserved(deps, { messageId: message.id, orderId, lines })
          if (missing === 0) return
          shortfall.inc(missing)
          logger.error({ orderId, missing }, 'An order was paid for that the stock cannot serve.')
        }),
        on(orderCancelled, ({ orderId }, { message }) =>
          cancelReserved(deps, { messageId: message.id, orderId }),
        ),
        on(orderRefunded, async ({ orderId, returned: lines }, { message }) => {
          if (lines.length === 0) return
          await takeBackReturned(deps, { messageId: message.id, orderId, lines })
        }),
      ],
      { unknown: 'ignore' },
    ),
  })
}
