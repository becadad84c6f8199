import { AppError } from '@halles/kit/errors'
import { annotate } from '@halles/kit/spans'
import {
  type Conclusion,
  type EventOutcome,
  type Notice,
  type ProviderEvent,
  toReceipt,
  toRefusal,
  toRepeatedReceipt,
} from '../domain/events.ts'
import { type Payment, paymentMismatch, paymentNotFound } from '../domain/payment.ts'
import type { Deps } from '../ports.ts'
import { mustReferences } from './references.ts'
import { settle } from './settle-payment.ts'

type Concluded = {
  conclusion: Conclusion
  payment: Payment | null
  settledRevision: number | null
}

/**
 * Takes the provider's notification; what it answers is what became of it. The event is kept before
 * anything else, and marked as done only after its effect, so that a failed one stays retriable.
 * @throws invalid `INVALID_SIGNATURE`, `MALFORMED_EVENT`; what it is refused with for good;
 *   unavailable `ORDERS_UNAVAILABLE`, `PROVIDER_UNAVAILABLE` when the provider should try again.
 */
export async function receiveEvent(
  deps: Deps,
  { rawBody, signature }: { rawBody: Buffer; signature: string | undefined },
): Promise<EventOutcome> {
  const event = deps.providers.stripe.verifyEvent(rawBody, signature)
  return takeEvent(deps, event)
}

/** The same for an event that is known to be genuine. */
export async function takeEvent(deps: Deps, event: ProviderEvent): Promise<EventOutcome> {
  const earlier = await deps.events.receive(event)
  return earlier ? toRepeatedReceipt(earlier) : applyEvent(deps, event, false)
}

/**
 * Applies an event again that was refused, or that the provider gave up, as if it came now.
 * @throws not-found `EVENT_NOT_FOUND`, and what {@link receiveEvent} throws.
 */
export async function replayEvent(
  deps: Deps,
  { eventId, subjectId }: { eventId: string; subjectId: string },
): Promise<EventOutcome> {
  const payload = await deps.events.findPayload(eventId)
  if (payload === undefined) {
    throw new AppError('not-found', 'EVENT_NOT_FOUND', 'There is no such event.')
  }
  deps.log.info({ eventId, subjectId }, 'An event is applied again by hand.')
  return applyEvent(deps, deps.providers.stripe.readEvent(payload), true)
}

async function applyEvent(
  deps: Deps,
  event: ProviderEvent,
  isForced: boolean,
): Promise<EventOutcome> {
  const { conclusion, payment, settledRevision } = await concludeOrReport(deps, event, isForced)
  const { id: paymentId, orderId } = payment ?? {}
  const settled =
    paymentId === undefined || orderId === undefined
      ? null
      : { paymentId, orderId, revision: settledRevision }
  await deps.events.conclude(event.id, conclusion, settled)
  return toReceipt(conclusion)
}

async function concludeOrReport(
  deps: Deps,
  event: ProviderEvent,
  isForced: boolean,
): Promise<Concluded> {
  let payment: Payment | null = null
  try {
    payment = event.notice && (await findPayment(deps, event.notice))
    if (!event.notice || !payment) return ignored(null)
    annotate('halles.payment.id', payment.id)
    return await apply(deps, { event, notice: event.notice, payment, isForced })
  } catch (error) {
    const refusal = toRefusal(error)
    const code = error instanceof AppError ? error.code : 'INTERNAL'
    deps.log.warn({ eventId: event.id, type: event.type, code }, 'An event could not be applied.')
    if (refusal) {
      return { conclusion: { outcome: 'refused', refusal }, payment, settledRevision: null }
    }
    await deps.events.recordFailure(event.id, code)
    throw error
  }
}

const ignored = (payment: Payment | null): Concluded => ({
  conclusion: { outcome: 'ignored' },
  payment,
  settledRevision: null,
})

/** Null for money that is none of ours. @throws not-found `PAYMENT_NOT_FOUND`. */
async function findPayment({ payments, providers }: Deps, notice: Notice): Promise<Payment | null> {
  const { paymentId, intentId } = notice
  if (paymentId === null && intentId === null) return null
  const known = paymentId === null ? undefined : await payments.findById(paymentId)
  if (known) return known
  if (paymentId !== null) throw paymentNotFound()
  if (intentId === null) return null
  const byIntent = await payments.findByIntent(intentId)
  if (byIntent) return byIntent
  const ownId = await providers.stripe.identify(intentId)
  if (ownId === null) return null
  const owned = await payments.findById(ownId)
  if (!owned) throw paymentNotFound()
  return owned
}

type Applying = { event: ProviderEvent; notice: Notice; payment: Payment; isForced: boolean }

async function apply(
  deps: Deps,
  { event, notice, payment, isForced }: Applying,
): Promise<Concluded> {
  const { seen } = notice
  if (notice.sessionId !== null && notice.sessionId !== payment.session?.id) {
    // A session whose address was never given to anybody, because its answer was lost, ends unused.
    if (seen === null || seen.state.phase === 'ended') return ignored(payment)
    throw paymentMismatch('The money was taken in another session than that of the payment.')
  }
  if (!payment.session) return ignored(payment)
  const provider = deps.providers[payment.provider]
  const state = seen ?? (await provider.read(mustReferences(payment)))
  const how = { cause: `event:${event.id}`, isForced }
  const { outcome, payment: settled, settledRevision } = await settle(deps, payment, state, how)
  return { conclusion: { outcome }, payment: settled, settledRevision }
}
