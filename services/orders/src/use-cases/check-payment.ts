import type { Money } from '@halles/kit/money'
import { type Actor, type Order, orderNotFound } from '../domain/order.ts'
import type { PaymentState } from '../domain/payment.ts'
import type { Deps } from '../ports.ts'
import { askPayments } from './ask-payments.ts'
import { applyState } from './settle-payment.ts'

/**
 * For the shopper who comes back from the provider's page, perhaps before its webhook: asks how the
 * payment stands. An order that does not wait for its money is answered as it is.
 * @throws unavailable `PAYMENTS_UNAVAILABLE`.
 */
export async function checkPayment(deps: Deps, order: Order): Promise<Order> {
  if (order.status !== 'pending_payment') return order
  const state = await askPayments(
    'The payment cannot be checked at the moment. It will be as soon as it can.',
    deps.payments.syncPayment(order.id),
  )
  const actor: Actor = { kind: 'provider', subjectId: null }
  return settled(deps, { order, state, actor, cause: 'return' })
}

/**
 * Records that somebody saw the money arrive.
 * @throws conflict `PAYMENT_NOT_MANUAL`, `RECEIPT_MISMATCH`; unavailable `PAYMENTS_UNAVAILABLE`.
 */
export async function recordReceipt(
  deps: Deps,
  receipt: { order: Order; amount: Money; reference: string; subjectId: string },
): Promise<Order> {
  const { order, amount, reference, subjectId } = receipt
  const state = await askPayments(
    'The receipt cannot be recorded at the moment. Try again.',
    deps.payments.recordReceipt({ orderId: order.id, ...amount, reference, subjectId }),
  )
  const actor: Actor = { kind: 'staff', subjectId }
  return settled(deps, { order, state, actor, cause: `receipt:${subjectId}` })
}

async function settled(
  deps: Deps,
  told: { order: Order; state: PaymentState; actor: Actor; cause: string },
): Promise<Order> {
  // Payments tells it as well; whoever comes second finds it known.
  const updated = await applyState(deps, { orderId: told.order.id, ...told })
  if (!updated) throw orderNotFound()
  return updated.order
}
