import { AppError } from '@halles/kit/errors'
import {
  cancel,
  type Order,
  orderNotFound,
  requestCancellation,
  requestExpiry,
} from '../domain/order.ts'
import type { Deps } from '../ports.ts'
import { forEachOrder } from './for-each-order.ts'

/**
 * Cancels an order in three steps, each of them repeatable: the wish is recorded under the order's
 * lock, its payment is ended or returned, the order is cancelled. A wish that was recorded is
 * carried out by {@link finishCancellations} when the process or a neighbour fails in between.
 * @throws conflict `ORDER_NOT_CANCELLABLE`; unavailable `PAYMENTS_UNAVAILABLE`.
 */
export async function cancelOrder(
  deps: Deps,
  { orderId, reason }: { orderId: string; reason: string | null },
): Promise<Order> {
  const at = deps.clock()
  const requested = await deps.orders.update(orderId, (order) =>
    requestCancellation(order, reason, at),
  )
  if (!requested) throw orderNotFound()
  if (requested.order.status === 'cancelled') return requested.order
  return conclude(deps, orderId, await cancelPayment(deps, orderId))
}

async function conclude(
  deps: Deps,
  orderId: string,
  ended: 'cancelled' | 'refunded',
): Promise<Order> {
  const moment = { at: deps.clock(), messageId: deps.newId() }
  const updated = await deps.orders.update(orderId, (order) => cancel(order, ended, moment))
  if (!updated) throw orderNotFound()
  return updated.order
}

async function cancelPayment({ payments }: Deps, orderId: string) {
  try {
    return await payments.cancelPayment(orderId)
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause
    throw new AppError(
      'unavailable',
      'PAYMENTS_UNAVAILABLE',
      'The payment cannot be ended at the moment. The order will be cancelled as soon as it can.',
      { retryAfterSeconds: 5, cause },
    )
  }
}

// Few, because each costs a call to payments and, through it, to the provider.
const batchSize = 20

/** Carries out cancellations that were requested before that moment; returns how many. */
export async function finishCancellations(deps: Deps, requestedBefore: Date): Promise<number> {
  const orderIds = await deps.orders.findToCancel(requestedBefore, batchSize)
  await forEachOrder(deps, orderIds, async ({ orderId }) => {
    await conclude(deps, orderId, await deps.payments.cancelPayment(orderId))
    deps.log.warn({ orderId }, 'A cancellation that had stopped half-way was completed.')
  })
  return orderIds.length
}

/** Cancels orders whose time to pay was over before that moment; returns how many it looked at. */
export async function expireOrders(deps: Deps, expiredBefore: Date): Promise<number> {
  const orderIds = await deps.orders.findExpired(expiredBefore, batchSize)
  await forEachOrder(deps, orderIds, async ({ orderId }) => {
    const at = deps.clock()
    const requested = await deps.orders.update(orderId, (order) => requestExpiry(order, at))
    if (requested?.order.status !== 'pending_payment') return
    await conclude(deps, orderId, await deps.payments.cancelPayment(orderId))
  })
  return orderIds.length
}
