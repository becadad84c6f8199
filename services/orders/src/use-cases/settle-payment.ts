import { AppError } from '@halles/kit/errors'
import { processingHoldSeconds } from '../domain/checkout.ts'
import { type Actor, type Order, orderNotFound } from '../domain/order.ts'
import type { PaymentState } from '../domain/payment.ts'
import { type Settlement, settle } from '../domain/settle.ts'
import type { Deps } from '../ports.ts'

export type SettlePayment = {
  orderId: string
  state: PaymentState
  actor: Actor
  cause: string | null
}

/**
 * Applies what payments knows of an order's payment.
 * @throws not-found `ORDER_NOT_FOUND`; unavailable `CHECKOUT_IN_PROGRESS` while the order is still
 *   being placed; conflict `PAYMENT_MISMATCH`.
 */
export async function settlePayment(deps: Deps, command: SettlePayment): Promise<Settlement> {
  const { orderId, state } = command
  if (state.phase === 'processing') await holdStock(deps, command)
  const settled = await applyState(deps, command)
  if (settled) return settled.outcome
  const checkout = await deps.checkouts.stateOf(orderId)
  if (checkout === undefined) throw orderNotFound()
  // Nobody will ever place this order, so nobody may keep its money.
  if (checkout === 'refused') return isKept(state) ? 'refund-due' : 'duplicate'
  throw new AppError(
    'unavailable',
    'CHECKOUT_IN_PROGRESS',
    'The order is still being placed. Tell it again.',
    { retryAfterSeconds: 2 },
  )
}

/** Settles the order with a state that payments answered, as if it had told it. */
export async function applyState(
  { orders, clock, newId }: Pick<Deps, 'orders' | 'clock' | 'newId'>,
  { orderId, state, actor, cause }: SettlePayment,
): Promise<{ order: Order; outcome: Settlement } | undefined> {
  const moment = { at: clock(), actor, cause, newId }
  return orders.update(orderId, (order) => settle(order, state, moment))
}

function isKept({ phase, capturedMinor, refunds, disputes }: PaymentState): boolean {
  if (phase === 'authorized') return true
  const returned = [
    ...refunds.filter((refund) => refund.phase !== 'failed'),
    ...disputes.filter((dispute) => dispute.phase !== 'won'),
  ]
  return capturedMinor > returned.reduce((sum, { amountMinor }) => sum + amountMinor, 0)
}

/**
 * Money that takes days must find its pieces: they are held longer before the order says that the
 * money is on its way, so that a failure here is told again.
 */
async function holdStock(
  { orders, products, log }: Deps,
  { orderId, state }: SettlePayment,
): Promise<void> {
  const order = await orders.find(orderId)
  if (order?.status !== 'pending_payment' || state.revision <= order.payment.revision) return
  try {
    const { lines } = order
    await products.reserveStock({ orderId, lines, ttlSeconds: processingHoldSeconds })
  } catch (error) {
    const isGone = error instanceof AppError && error.code === 'RESERVATION_RELEASED'
    if (!isGone) throw error
    // The money is taken all the same; products counts what is then missing.
    log.warn({ orderId }, 'The stock of an order was free before its money was on its way.')
  }
}
