import { type OrderState, orderRefunded } from '@halles/contracts/gen/messages/orders'
import {
  createMessage,
  type MessageContract,
  type OutgoingMessage,
} from '@halles/contracts/message'
import type { LineQuantity, Moment, Order } from './order.ts'
import type { Refund } from './payment.ts'

/** Tells the state of an order, without personal data. */
export function tell(
  contract: MessageContract<OrderState>,
  order: Order,
  { at, newId }: Moment,
): OutgoingMessage {
  const { id, version, cartId, customerId, status, totals, lines } = order
  const state: OrderState = {
    orderId: id,
    version,
    cartId,
    customerId,
    status,
    total: totals.total,
    lines: lines.map(({ variantId, productId, quantity, unitPrice }) => ({
      variantId,
      productId,
      quantity,
      unitPrice,
    })),
  }
  return createMessage(contract, state, { id: newId(), at })
}

/** Tells that money went back, and which pieces return to the stock. */
export function tellRefund(
  order: Order,
  refund: Refund,
  { moment, returned }: { moment: Moment; returned: readonly LineQuantity[] },
): OutgoingMessage {
  const { id, version, totals, status } = order
  const { currency } = totals.total
  if (status === 'pending_payment') throw new Error('An unpaid order has nothing to refund.')
  const data = {
    orderId: id,
    version,
    status,
    refundId: refund.isOurs ? refund.id : null,
    amount: { amountMinor: refund.amountMinor, currency },
    total: totals.total,
    returned: [...returned],
  }
  return createMessage(orderRefunded, data, { id: moment.newId(), at: moment.at })
}
