import { checkFulfilment, deliver, fulfil, type NewFulfilment } from '../domain/fulfil.ts'
import { type Actor, type Order, orderNotFound } from '../domain/order.ts'
import type { Deps } from '../ports.ts'
import { askPayments } from './ask-payments.ts'
import { applyState } from './settle-payment.ts'

/**
 * Records that pieces left the house. Money that is only held is captured first, all of it with the
 * first pieces; what stops in between is taken up by the same request.
 * @throws conflict `ORDER_NOT_FULFILLABLE`, `FULFILMENT_TOO_LARGE`, `PAYMENT_DISPUTED`;
 *   unavailable `PAYMENTS_UNAVAILABLE`, `CAPTURE_PENDING`.
 */
export async function fulfilOrder(
  deps: Deps,
  command: { order: Order; fulfilment: NewFulfilment; actor: Actor; cause: string },
): Promise<Order> {
  const { order, fulfilment, actor, cause } = command
  const orderId = order.id
  if (checkFulfilment(order, fulfilment) === 'capture') {
    const { amountMinor } = order.totals.total
    const state = await askPayments(
      'The money cannot be captured at the moment. Nothing was recorded; try again.',
      deps.payments.capturePayment(orderId, amountMinor),
    )
    await applyState(deps, { orderId, state, actor, cause })
  }
  const moment = { at: deps.clock(), actor, cause, newId: deps.newId }
  const updated = await deps.orders.update(orderId, (known) => fulfil(known, fulfilment, moment))
  if (!updated) throw orderNotFound()
  return updated.order
}

/** @throws not-found `FULFILMENT_NOT_FOUND`. */
export async function recordDelivery(
  { orders, clock, newId }: Deps,
  { orderId, fulfilmentId, actor }: { orderId: string; fulfilmentId: string; actor: Actor },
): Promise<Order> {
  const moment = { at: clock(), actor, cause: null, newId }
  const updated = await orders.update(orderId, (order) => deliver(order, fulfilmentId, moment))
  if (!updated) throw orderNotFound()
  return updated.order
}
