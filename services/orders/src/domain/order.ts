import {
  type OrderState,
  orderCancelled,
  orderPaid,
  orderPlaced,
} from '@halles/contracts/gen/messages/orders'
import { createMessage, type OutgoingMessage } from '@halles/contracts/message'
import { AppError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'

export type OrderStatus =
  | 'pending_payment'
  | 'paid'
  | 'fulfilled'
  | 'delivered'
  | 'cancelled'
  | 'refunded'

export type Address = {
  name: string
  line1: string
  line2?: string
  postalCode: string
  city: string
  region?: string
  country: string
}

export type OrderLine = {
  variantId: string
  productId: string
  sku: string
  title: string
  variantTitle: string
  quantity: number
  unitPrice: Money
}

export type PaymentStatus = 'pending' | 'paid' | 'cancelled' | 'refunded'

export type Order = {
  id: string
  version: number
  status: OrderStatus
  cartId: string
  /** Null for a guest. */
  customerId: string | null
  email: string | null
  shippingAddress: Address
  lines: readonly OrderLine[]
  total: Money
  payment: { id: string; status: PaymentStatus; redirectUrl: string; expiresAt: Date }
  placedAt: Date
  /** From here on the order can only end cancelled, whatever the provider still says. */
  cancellation: { requestedAt: Date; reason: string | null } | null
}

/** When something happens, and the id for the message that tells of it. */
export type Moment = { at: Date; messageId: string }

/** The order afterwards (the same object when nothing changes), what to tell, and the answer. */
export type Decision<Outcome = undefined> = {
  order: Order
  messages: readonly OutgoingMessage[]
  outcome: Outcome
}

/** Every legal step; all others are refused. */
export const nextStatuses: Readonly<Record<OrderStatus, readonly OrderStatus[]>> = {
  pending_payment: ['paid', 'cancelled'],
  paid: ['fulfilled', 'cancelled', 'refunded'],
  fulfilled: ['delivered', 'refunded'],
  delivered: ['refunded'],
  cancelled: [],
  refunded: [],
}

export type NewOrder = Pick<
  Order,
  'id' | 'cartId' | 'customerId' | 'email' | 'shippingAddress' | 'lines' | 'total'
> & { payment: Omit<Order['payment'], 'status'> }

export function place(draft: NewOrder, moment: Moment): Decision {
  const order: Order = {
    ...draft,
    version: 1,
    status: 'pending_payment',
    payment: { ...draft.payment, status: 'pending' },
    placedAt: moment.at,
    cancellation: null,
  }
  return { order, messages: [tell(orderPlaced, order, moment)], outcome: undefined }
}

/** What the provider says of an order's payment. */
export type PaymentNotice = {
  paymentId: string
  outcome: 'paid' | 'expired'
  amount: Money
}

export type Settlement = 'applied' | 'duplicate' | 'refund-due'

/**
 * The one path by which news of a payment reach an order. Repeated and late news are absorbed; money
 * that comes for an order that is, or is about to be, cancelled has to go back.
 * @throws conflict `PAYMENT_MISMATCH` for another payment, amount or currency.
 */
export function settle(order: Order, notice: PaymentNotice, moment: Moment): Decision<Settlement> {
  checkNotice(order, notice)
  if (notice.outcome === 'expired') {
    return order.status === 'pending_payment'
      ? { ...end(order, 'cancelled', moment), outcome: 'applied' }
      : { order, messages: [], outcome: 'duplicate' }
  }
  if (order.status === 'pending_payment') {
    if (order.cancellation) return { ...end(order, 'refunded', moment), outcome: 'refund-due' }
    const paid = advance(order, 'paid', 'paid')
    return { order: paid, messages: [tell(orderPaid, paid, moment)], outcome: 'applied' }
  }
  if (order.status !== 'cancelled') return { order, messages: [], outcome: 'duplicate' }
  // Each time it is said, since whoever must return the money may have failed the last time.
  const isKnown = order.payment.status === 'refunded'
  return {
    order: isKnown ? order : advance(order, 'cancelled', 'refunded'),
    messages: [],
    outcome: 'refund-due',
  }
}

function checkNotice(order: Order, { paymentId, outcome, amount }: PaymentNotice): void {
  const isSameAmount =
    amount.amountMinor === order.total.amountMinor && amount.currency === order.total.currency
  if (order.payment.id === paymentId && (outcome === 'expired' || isSameAmount)) return
  throw new AppError(
    'conflict',
    'PAYMENT_MISMATCH',
    'The payment is not the one that the order waits for.',
    { details: { orderId: order.id } },
  )
}

/**
 * Records that the order must end cancelled, before its payment is ended elsewhere; a second request
 * changes nothing. @throws conflict `ORDER_NOT_CANCELLABLE`.
 */
export function requestCancellation(order: Order, reason: string | null, at: Date): Decision {
  if (order.status !== 'cancelled' && !nextStatuses[order.status].includes('cancelled')) {
    throw notCancellable(order)
  }
  if (order.status === 'cancelled' || order.cancellation) return unchanged(order)
  const requested = { ...order, cancellation: { requestedAt: at, reason } }
  return { ...unchanged(order), order: requested }
}

/** The same for an order whose time to pay is over; an order that was paid meanwhile is left. */
export function requestExpiry(order: Order, at: Date): Decision {
  if (order.status !== 'pending_payment' || order.payment.expiresAt > at) return unchanged(order)
  return requestCancellation(order, 'The time to pay ran out.', at)
}

/** Cancels after the payment was ended; cancelling a cancelled order changes nothing. */
export function cancel(order: Order, ended: 'cancelled' | 'refunded', moment: Moment): Decision {
  return order.status === 'cancelled' ? unchanged(order) : end(order, ended, moment)
}

function end(order: Order, payment: PaymentStatus, moment: Moment): Decision {
  if (!nextStatuses[order.status].includes('cancelled')) throw notCancellable(order)
  const cancelled = advance(order, 'cancelled', payment)
  return {
    order: cancelled,
    messages: [tell(orderCancelled, cancelled, moment)],
    outcome: undefined,
  }
}

function advance(order: Order, status: OrderStatus, payment: PaymentStatus): Order {
  const version = order.version + 1
  return { ...order, version, status, payment: { ...order.payment, status: payment } }
}

function unchanged(order: Order): Decision {
  return { order, messages: [], outcome: undefined }
}

/** Whether it is the caller's own order, or the one that the guest's token is for. */
export function isVisibleTo(
  order: Order,
  caller: { subjectId: string; orderId?: string | undefined },
): boolean {
  if (caller.orderId !== undefined) return caller.orderId === order.id
  return order.customerId !== null && order.customerId === caller.subjectId
}

export function orderNotFound(): AppError {
  return new AppError('not-found', 'ORDER_NOT_FOUND', 'There is no such order.')
}

function notCancellable({ status }: Order): AppError {
  return new AppError(
    'conflict',
    'ORDER_NOT_CANCELLABLE',
    `An order that is ${status} cannot be cancelled.`,
  )
}

function tell(contract: typeof orderPlaced, order: Order, { at, messageId }: Moment) {
  const { id, version, cartId, customerId, status, total, lines } = order
  const state: OrderState = {
    orderId: id,
    version,
    cartId,
    customerId,
    status,
    total,
    lines: lines.map(({ variantId, productId, quantity, unitPrice }) => ({
      variantId,
      productId,
      quantity,
      unitPrice,
    })),
  }
  return createMessage(contract, state, { id: messageId, at })
}
