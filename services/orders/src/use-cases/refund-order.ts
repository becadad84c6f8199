import { AppError } from '@halles/kit/errors'
import { toRefusal } from '../domain/checkout.ts'
import { type Actor, type Order, orderNotFound } from '../domain/order.ts'
import type { Refund } from '../domain/payment.ts'
import { type NewRefund, refuseRefund, requestRefund } from '../domain/refund.ts'
import type { Deps } from '../ports.ts'
import { askPayments } from './ask-payments.ts'
import { applyState } from './settle-payment.ts'
import { visitOrders } from './visit-orders.ts'

type Told = { actor: Actor; cause: string }

/**
 * Returns money in three steps, each of them repeatable: the refund is recorded under the order's
 * lock, payments is asked for it, its answer is applied. {@link finishRefunds} completes what
 * stopped in between. The same id answers the same refund, a refusal too.
 * @throws what `requestRefund` throws; what payments refuses it with; unavailable
 *   `PAYMENTS_UNAVAILABLE`.
 */
export async function refundOrder(
  deps: Deps,
  command: Told & { orderId: string; refund: NewRefund },
): Promise<Order> {
  const { orderId, refund: asked, actor, cause } = command
  const moment = { at: deps.clock(), actor, cause, newId: deps.newId }
  const requested = await deps.orders.update(orderId, (order) =>
    requestRefund(order, asked, moment),
  )
  if (!requested) throw orderNotFound()
  const refund = requested.order.refunds.find(({ id }) => id === asked.id)
  if (refund?.problem) throw new AppError('conflict', refund.problem.code, refund.problem.message)
  if (refund?.status !== 'requested') return requested.order
  return askPayments(
    'The money cannot be returned at the moment. It will be as soon as it can.',
    askForRefund(deps, requested.order, { refund, actor, cause }),
  )
}

async function askForRefund(
  deps: Deps,
  { id: orderId }: Order,
  { refund, actor, cause }: Told & { refund: Refund },
): Promise<Order> {
  const { id: refundId, amountMinor, reason } = refund
  try {
    const state = await deps.payments.refundPayment({ orderId, refundId, amountMinor, reason })
    const settled = await applyState(deps, { orderId, state, actor, cause })
    if (!settled) throw orderNotFound()
    return settled.order
  } catch (error) {
    const refusal = toRefusal(error)
    if (!refusal) throw error
    const moment = { at: deps.clock(), actor, cause, newId: deps.newId }
    const problem = { code: refusal.code, message: refusal.message }
    await deps.orders.update(orderId, (order) => refuseRefund(order, { refundId, problem }, moment))
    throw new AppError('conflict', problem.code, problem.message, { cause: error })
  }
}

/** Asks payments for refunds that were recorded before that moment; returns how many orders. */
export async function finishRefunds(
  deps: Deps,
  requestedBefore: Date,
  orderId?: string,
): Promise<number> {
  const find = (after: string | undefined, limit: number) =>
    deps.orders.findToRefund({ before: requestedBefore, after, limit, orderId })
  const told: Told = { actor: { kind: 'system', subjectId: null }, cause: 'job:refunds' }
  return visitOrders(deps, find, async ({ orderId }) => {
    const order = await deps.orders.find(orderId)
    for (const refund of order?.refunds ?? []) {
      if (!order || refund.status !== 'requested') continue
      await askForRefund(deps, order, { refund, ...told })
      deps.log.warn({ orderId }, 'A refund that had stopped half-way was completed.')
    }
  })
}
