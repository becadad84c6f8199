import { AppError } from '@halles/kit/errors'
import { orderNotFound, type PaymentNotice, type Settlement, settle } from '../domain/order.ts'
import type { Deps } from '../ports.ts'

/**
 * Applies what the provider says of an order's payment.
 * @throws not-found `ORDER_NOT_FOUND`; unavailable `CHECKOUT_IN_PROGRESS` while the order is still
 *   being placed; conflict `PAYMENT_MISMATCH`.
 */
export async function settlePayment(
  { orders, checkouts, clock, newId }: Deps,
  { orderId, ...notice }: PaymentNotice & { orderId: string },
): Promise<Settlement> {
  const moment = { at: clock(), messageId: newId() }
  const updated = await orders.update(orderId, (order) => settle(order, notice, moment))
  if (updated) return updated.outcome
  const state = await checkouts.stateOf(orderId)
  if (state === undefined) throw orderNotFound()
  // Nobody will ever place this order, so nobody may keep its money.
  if (state === 'refused') return notice.outcome === 'paid' ? 'refund-due' : 'duplicate'
  throw new AppError(
    'unavailable',
    'CHECKOUT_IN_PROGRESS',
    'The order is still being placed. Tell it again.',
    { retryAfterSeconds: 2 },
  )
}
