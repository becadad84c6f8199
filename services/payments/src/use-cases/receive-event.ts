import { AppError } from '@halles/kit/errors'
import {
  type Conclusion,
  type PaymentNotice,
  type ProviderEvent,
  toReceipt,
  toRefusal,
  toRepeatedReceipt,
} from '../domain.ts'
import type { Deps } from '../ports.ts'
import { refundInFull } from './cancel-payment.ts'

export type Receipt = 'applied' | 'duplicate' | 'ignored'

/**
 * Takes the provider's notification; what it answers is what became of it. The event is kept before
 * anything else, and marked as done only after its effect, so that a failed one stays retriable.
 * @throws invalid `INVALID_SIGNATURE`, `MALFORMED_EVENT`; what orders refuses it with for good;
 *   unavailable `ORDERS_UNAVAILABLE`, `PROVIDER_UNAVAILABLE` when the provider should try again.
 */
export async function receiveEvent(
  deps: Deps,
  { rawBody, signature }: { rawBody: Buffer; signature: string | undefined },
): Promise<Receipt> {
  const event = deps.provider.verifyEvent(rawBody, signature)
  const earlier = await deps.events.receive(event)
  if (earlier) return toRepeatedReceipt(earlier)
  const conclusion = await concludeOrReport(deps, event)
  await deps.events.conclude(event.id, conclusion)
  return toReceipt(conclusion)
}

async function concludeOrReport(deps: Deps, event: ProviderEvent): Promise<Conclusion> {
  try {
    return event.notice ? await apply(deps, event.id, event.notice) : { outcome: 'ignored' }
  } catch (error) {
    const code = error instanceof AppError ? error.code : 'INTERNAL'
    deps.log.warn({ eventId: event.id, type: event.type, code }, 'An event could not be applied.')
    await deps.events.recordFailure(event.id, code)
    throw error
  }
}

async function apply(deps: Deps, eventId: string, notice: PaymentNotice): Promise<Conclusion> {
  const { orders, payments } = deps
  const { paymentId, chargeReference } = notice
  const settlement = await settle({ orders }, eventId, notice)
  if (typeof settlement === 'object') return settlement
  if (settlement === 'refund-due') {
    await refundInFull(deps, { id: paymentId, chargeReference })
    return { outcome: 'applied' }
  }
  if (notice.outcome === 'paid') await payments.recordPaid(paymentId)
  else await payments.recordCancelled(paymentId)
  return { outcome: settlement }
}

async function settle({ orders }: Pick<Deps, 'orders'>, eventId: string, notice: PaymentNotice) {
  try {
    return await orders.settlePayment({ ...notice, providerEventId: eventId })
  } catch (cause) {
    const refusal = toRefusal(cause)
    if (refusal) return { outcome: 'refused', refusal } as const
    if (!(cause instanceof AppError)) throw cause
    throw new AppError(
      'unavailable',
      'ORDERS_UNAVAILABLE',
      'The order cannot take this now. Send it again.',
      { details: { reason: cause.code }, retryAfterSeconds: 5, cause },
    )
  }
}
