import { AppError } from '@halles/kit/errors'
import { cancel, requestCancellation, requestExpiry } from '../domain/cancel.ts'
import { type Actor, type Moment, type Order, orderNotFound } from '../domain/order.ts'
import type { PaymentState } from '../domain/payment.ts'
import { settle } from '../domain/settle.ts'
import type { Deps } from '../ports.ts'
import { paymentsUnavailable } from './ask-payments.ts'
import { applyState } from './settle-payment.ts'
import { visitOrders } from './visit-orders.ts'

/**
 * Cancels an order in three steps, each of them repeatable: the wish is recorded under the order's
 * lock, its payment is ended or returned, the order is cancelled. A wish that was recorded is
 * carried out by {@link finishCancellations} when the process or a neighbour fails in between.
 * @throws conflict `ORDER_NOT_CANCELLABLE`, `PAYMENT_DISPUTED`; unavailable `PAYMENTS_UNAVAILABLE`.
 */
export async function cancelOrder(
  deps: Deps,
  { orderId, reason, actor }: { orderId: string; reason: string | null; actor: Actor },
): Promise<Order> {
  const moment = momentOf(deps, actor, null)
  const requested = await deps.orders.update(orderId, (order) =>
    requestCancellation(order, reason, moment),
  )
  if (!requested) throw orderNotFound()
  if (requested.order.status === 'cancelled') return requested.order
  const state = await cancelPayment(deps, orderId)
  return conclude(deps, orderId, { state, moment: momentOf(deps, actor, null) })
}

async function conclude(
  { orders }: Deps,
  orderId: string,
  { state, moment }: { state: PaymentState; moment: Moment },
): Promise<Order> {
  const settled = await orders.update(orderId, (order) => settle(order, state, moment))
  if (settled?.order.status === 'cancelled') return settled.order
  const updated = await orders.update(orderId, (order) => cancel(order, moment))
  if (!updated) throw orderNotFound()
  return updated.order
}

/** Whatever keeps payments from ending it, even that the provider decides: it will be done. */
async function cancelPayment({ payments }: Deps, orderId: string): Promise<PaymentState> {
  try {
    return await payments.cancelPayment(orderId)
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    throw paymentsUnavailable(
      'The payment cannot be ended at the moment. The order will be cancelled as soon as it can.',
      error,
    )
  }
}

/** Carries out cancellations that were requested before that moment; returns how many. */
export async function finishCancellations(
  deps: Deps,
  requestedBefore: Date,
  orderId?: string,
): Promise<number> {
  const find = (after: string | undefined, limit: number) =>
    deps.orders.findToCancel({ before: requestedBefore, after, limit, orderId })
  return visitOrders(deps, find, async ({ orderId }) => {
    const state = await deps.payments.cancelPayment(orderId)
    await conclude(deps, orderId, { state, moment: momentOf(deps, system, 'job:cancellations') })
    deps.log.warn({ orderId }, 'A cancellation that had stopped half-way was completed.')
  })
}

/**
 * Cancels orders whose time to pay was over before that moment; returns how many it looked at. The
 * provider is asked first: what we have not heard of yet must not be thrown away.
 */
export async function expireOrders(deps: Deps, expiredBefore: Date): Promise<number> {
  const find = (after: string | undefined, limit: number) =>
    deps.orders.findExpired({ before: expiredBefore, after, limit })
  return visitOrders(deps, find, async ({ orderId }) => {
    const cause = 'job:expiry'
    const known = await deps.payments.syncPayment(orderId)
    await applyState(deps, { orderId, state: known, actor: system, cause })
    const moment = momentOf(deps, system, cause)
    const requested = await deps.orders.update(orderId, (order) => requestExpiry(order, moment))
    if (!requested?.order.cancellation || requested.order.status !== 'pending_payment') return
    const state = await deps.payments.cancelPayment(orderId)
    await conclude(deps, orderId, { state, moment: momentOf(deps, system, cause) })
  })
}

const system: Actor = { kind: 'system', subjectId: null }

function momentOf({ clock, newId }: Deps, actor: Actor, cause: string | null): Moment {
  return { at: clock(), actor, cause, newId }
}
