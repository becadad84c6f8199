import type { Snapshot } from '../domain/payment.ts'
import type { OwnRefund, Refund } from '../domain/state.ts'
import type { NotifyingProvider, References } from '../ports.ts'
import { toProviderAmount } from './amounts.ts'
import { createStripeClient, isRefusal, type StripeClient, translated } from './client.ts'
import { createEventVerifier, idsOf, readEvent } from './events.ts'
import { listMissedEvents, listPayments } from './lists.ts'
import { createSession } from './sessions.ts'
import { expandedSession, toRefund, toSnapshot } from './snapshots.ts'

export type StripeOptions = {
  apiKey: string
  /** All that are active: two while one replaces the other. */
  webhookSecrets: readonly string[]
  /** Where Stripe's API is; its own address when undefined. */
  apiBase: string | undefined
  /** Where shoppers come back to. */
  publicUrl: string
}

/** The provider port on Stripe Checkout, by the official SDK. */
export function createStripeProvider(
  options: StripeOptions,
): NotifyingProvider & { close(): void } {
  const client = createStripeClient(options.apiKey, options.apiBase)
  const { stripe, limits } = client
  const read = (payment: References) => readPayment(client, payment)

  return {
    createSession: (payment) => translated(() => createSession(client, payment, options.publicUrl)),
    read: (payment) => translated(() => read(payment)),
    expire: (payment) =>
      translated(() =>
        changed(client, payment, () =>
          stripe.checkout.sessions.expire(payment.sessionId, {}, limits()),
        ),
      ),
    capture: (payment, amountMinor) =>
      translated(async () => {
        const { currency } = payment
        const amount = toProviderAmount({ amountMinor, currency })
        const intentId = await intentOf(client, payment)
        return changed(client, payment, () =>
          stripe.paymentIntents.capture(intentId, { amount_to_capture: amount }, limits()),
        )
      }),
    release: (payment) =>
      translated(async () => {
        const intentId = await intentOf(client, payment)
        return changed(client, payment, () => stripe.paymentIntents.cancel(intentId, {}, limits()))
      }),
    refund: (payment, refund) => translated(() => makeRefund(client, payment, refund)),
    listPayments: (window, after) => translated(() => listPayments(client, window, after)),
    listMissedEvents: (window, after) => translated(() => listMissedEvents(client, window, after)),
    verifyEvent: createEventVerifier(stripe, options.webhookSecrets),
    readEvent,
    identify: (intentId) =>
      translated(async () => {
        const { metadata } = await stripe.paymentIntents.retrieve(intentId, {}, limits())
        return idsOf(metadata)?.paymentId ?? null
      }),
    close: client.close,
  }
}

async function readPayment(client: StripeClient, { sessionId }: References): Promise<Snapshot> {
  const { stripe, limits } = client
  const session = await stripe.checkout.sessions.retrieve(
    sessionId,
    { expand: expandedSession },
    limits(),
  )
  return toSnapshot(client, session)
}

/**
 * Changes a payment and reads how it stands then. A change that is not possible any more, because it
 * was made already or something else came first, shows in what is read.
 */
async function changed(
  client: StripeClient,
  payment: References,
  change: () => Promise<unknown>,
): Promise<Snapshot> {
  try {
    await change()
  } catch (error) {
    if (!isRefusal(error)) throw error
  }
  return readPayment(client, payment)
}

async function intentOf(client: StripeClient, payment: References): Promise<string> {
  const intentId = payment.intentId ?? (await readPayment(client, payment)).intentId
  if (intentId === null) throw new Error('A payment that moved money has no payment intent.')
  return intentId
}

// What Stripe keeps with an object.
const maxMetadataLength = 500

/** Stripe forgets keys after a day, so one that may have been made is looked for first. */
async function makeRefund(
  client: StripeClient,
  payment: References,
  { id, amountMinor, reason, isRepeated }: OwnRefund & { isRepeated: boolean },
): Promise<Refund> {
  const { stripe, limits } = client
  const made = isRepeated ? await findRefund(client, payment, id) : undefined
  if (made) return made
  const { paymentId, currency } = payment
  const refund = await stripe.refunds.create(
    {
      payment_intent: await intentOf(client, payment),
      amount: toProviderAmount({ amountMinor, currency }),
      metadata: {
        refund_id: id,
        payment_id: paymentId,
        order_id: payment.orderId,
        ...(reason === null ? {} : { reason: reason.slice(0, maxMetadataLength) }),
      },
    },
    { ...limits(), idempotencyKey: `refund:${id}` },
  )
  return toRefund(refund)
}

async function findRefund(
  client: StripeClient,
  payment: References,
  refundId: string,
): Promise<Refund | undefined> {
  const { state } = await readPayment(client, payment)
  return state.refunds.find(({ id }) => id === refundId)
}
