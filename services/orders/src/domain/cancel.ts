import { orderCancelled } from '@halles/contracts/gen/messages/orders'
import { checkAllowed, move } from './life-cycle.ts'
import { tell } from './messages.ts'
import {
  type Decision,
  type Moment,
  type Order,
  paymentDisputed,
  record,
  unchanged,
} from './order.ts'
import { disputeOf } from './payment.ts'

/**
 * Records that the order must end cancelled, before its payment is ended elsewhere; a second request
 * changes nothing. @throws conflict `ORDER_NOT_CANCELLABLE`, `PAYMENT_DISPUTED`.
 */
export function requestCancellation(order: Order, reason: string | null, moment: Moment): Decision {
  checkAllowed(order, 'cancel')
  if (order.status === 'cancelled' || order.cancellation) return unchanged(order)
  if (disputeOf(order) === 'open') throw paymentDisputed()
  const requested = { ...order, cancellation: { requestedAt: moment.at, reason } }
  return record(requested, [{ what: 'cancellation-requested', details: { reason } }], moment)
}

/**
 * The same for an order whose time to pay is over; one that was paid meanwhile, or whose money is on
 * its way, is left.
 */
export function requestExpiry(order: Order, moment: Moment): Decision {
  const isOver = move(order, 'expire').status === 'cancelled'
  if (!isOver || order.payment.expiresAt > moment.at) return unchanged(order)
  return requestCancellation(order, 'The time to pay ran out.', moment)
}

/** Cancels after the payment was ended; cancelling a cancelled order changes nothing. */
export function cancel(order: Order, moment: Moment): Decision {
  if (order.status === 'cancelled') return unchanged(order)
  const cancelled = move(order, 'cancel')
  const details = { reason: order.cancellation?.reason ?? null }
  const decision = record(cancelled, [{ what: 'cancelled', details }], moment)
  return { ...decision, messages: [tell(orderCancelled, decision.order, moment)] }
}
