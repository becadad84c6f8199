import type Stripe from 'stripe'
import type { Snapshot } from '../domain/payment.ts'
import type { Dispute, Phase, Refund, RefundPhase } from '../domain/state.ts'
import { fromProviderAmount } from './amounts.ts'
import type { StripeClient } from './client.ts'

type Session = Stripe.Checkout.Session
type Intent = Stripe.PaymentIntent

/** What makes a session complete: one call, unless there are many refunds or a dispute. */
export const expandedSession = ['payment_intent.latest_charge.refunds']

// More refunds of one payment than anybody makes; each page has a hundred.
const maxPages = 5

/** How a payment stands, by its session with {@link expandedSession}. */
export async function toSnapshot(client: StripeClient, session: Session): Promise<Snapshot> {
  const intent = expanded(session.payment_intent)
  const charge = expanded(intent?.latest_charge ?? null)
  const isCaptured = charge?.captured ?? false
  const [refunds, disputes] = await Promise.all([
    charge && isCaptured ? allRefunds(client, charge) : [],
    charge?.disputed && intent ? allDisputes(client, intent.id) : [],
  ])
  return {
    amount: amountOf(session),
    intentId: intent?.id ?? null,
    state: {
      phase: phaseOf(session, intent),
      capturedMinor: capturedOf(session, intent),
      refunds: charge ? withoutRelease(charge, refunds).map(toRefund) : [],
      disputes: disputes.flatMap(toDisputes),
    },
  }
}

export function amountOf({ amount_total: amount, currency }: Session): Snapshot['amount'] {
  return amount === null || currency === null ? null : fromProviderAmount(amount, currency)
}

function capturedOf({ currency }: Session, intent: Intent | null): number {
  const amount = intent?.amount_received ?? 0
  return fromProviderAmount(amount, intent?.currency ?? currency ?? '').amountMinor
}

function phaseOf({ status, payment_status: paymentStatus }: Session, intent: Intent | null): Phase {
  if (intent?.status === 'succeeded') return 'captured'
  if (intent?.status === 'requires_capture') return 'authorized'
  if (intent?.status === 'canceled' || status === 'expired') return 'ended'
  if (status === 'open') return 'open'
  // Nothing was due.
  if (!intent) return paymentStatus === 'unpaid' ? 'processing' : 'captured'
  // A complete session is not paid at again: the method that takes days has failed.
  return intent.status === 'requires_payment_method' ? 'ended' : 'processing'
}

async function allRefunds(
  { stripe, limits }: StripeClient,
  charge: Stripe.Charge,
): Promise<Stripe.Refund[]> {
  const { data = [], has_more: hasMore = false } = charge.refunds ?? {}
  const refunds = [...data]
  let isMore = hasMore
  for (let page = 0; isMore && page < maxPages; page += 1) {
    const after = refunds.at(-1)?.id
    const next = await stripe.refunds.list(
      { charge: charge.id, limit: 100, ...(after === undefined ? {} : { starting_after: after }) },
      limits(),
    )
    refunds.push(...next.data)
    isMore = next.has_more
  }
  return refunds
}

async function allDisputes(
  { stripe, limits }: StripeClient,
  intentId: string,
): Promise<Stripe.Dispute[]> {
  const { data } = await stripe.disputes.list({ payment_intent: intentId, limit: 100 }, limits())
  return data
}

/**
 * What was held and not taken shows at Stripe as a refund of the difference, made by the capture and
 * done at once: no money went back by it.
 */
function withoutRelease(charge: Stripe.Charge, refunds: readonly Stripe.Refund[]): Stripe.Refund[] {
  const released = charge.amount - charge.amount_captured
  if (released === 0) return [...refunds]
  const release = refunds.findLast(
    ({ amount, status, metadata }) =>
      amount === released && status === 'succeeded' && metadata?.refund_id === undefined,
  )
  return refunds.filter((refund) => refund !== release)
}

const refundPhases: Readonly<Record<string, RefundPhase>> = {
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'failed',
}

export function toRefund({ id, amount, currency, status, metadata }: Stripe.Refund): Refund {
  return {
    id: metadata?.refund_id ?? null,
    providerId: id,
    amountMinor: fromProviderAmount(amount, currency).amountMinor,
    phase: refundPhases[status ?? ''] ?? 'pending',
    reason: null,
  }
}

const disputePhases: Readonly<Record<string, Dispute['phase']>> = {
  needs_response: 'open',
  under_review: 'open',
  won: 'won',
  lost: 'lost',
}

/** None for an inquiry: it has taken no money yet, and a refund is what ends it best. */
function toDisputes({ id, amount, currency, status }: Stripe.Dispute): Dispute[] {
  const phase = disputePhases[status]
  return phase ? [{ id, amountMinor: fromProviderAmount(amount, currency).amountMinor, phase }] : []
}

function expanded<T extends { id: string }>(reference: string | T | null): T | null {
  if (typeof reference === 'string') throw new Error('Stripe did not expand what was asked for.')
  return reference
}
