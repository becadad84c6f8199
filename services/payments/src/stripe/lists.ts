import type Stripe from 'stripe'
import type { ProviderEvent } from '../domain/events.ts'
import type { Listed } from '../domain/findings.ts'
import type { Window } from '../ports.ts'
import type { StripeClient } from './client.ts'
import { handledTypes, idsOf, readEvent } from './events.ts'
import { expandedSession, toSnapshot } from './snapshots.ts'

type Page<T> = { items: readonly T[]; next: string | null }

// The most that Stripe puts on a page.
const pageSize = 100

/** Checkout Sessions that were made in the window, with how they stand. */
export async function listPayments(
  client: StripeClient,
  window: Window,
  after: string | null,
): Promise<Page<Listed>> {
  const expand = expandedSession.map((path) => `data.${path}`)
  const page: Stripe.ApiList<Stripe.Checkout.Session> = await client.stripe.checkout.sessions.list(
    { ...toQuery(window, after), expand },
    client.limits(),
  )
  const items: Listed[] = []
  for (const session of page.data) {
    const { paymentId = null, orderId = null } = idsOf(session.metadata) ?? {}
    const snapshot = await toSnapshot(client, session)
    items.push({ paymentId, orderId, sessionId: session.id, snapshot })
  }
  return { items, next: nextOf(page) }
}

/** Events that wait for their next delivery, or were given up. */
export async function listMissedEvents(
  { stripe, limits }: StripeClient,
  window: Window,
  after: string | null,
): Promise<Page<ProviderEvent>> {
  const page: Stripe.ApiList<Stripe.Event> = await stripe.events.list(
    { ...toQuery(window, after), types: [...handledTypes], delivery_success: false },
    limits(),
  )
  return { items: page.data.map((event) => readEvent(JSON.stringify(event))), next: nextOf(page) }
}

function toQuery({ from, to }: Window, after: string | null) {
  return {
    created: { gte: toSeconds(from), lt: toSeconds(to) },
    limit: pageSize,
    ...(after === null ? {} : { starting_after: after }),
  }
}

function nextOf({ data, has_more: hasMore }: Stripe.ApiList<{ id: string }>): string | null {
  return hasMore ? (data.at(-1)?.id ?? null) : null
}

/** Stripe refuses moments before 1970, when nobody paid by card on the Internet anyway. */
function toSeconds(at: Date): number {
  return Math.max(0, Math.floor(at.getTime() / 1_000))
}
