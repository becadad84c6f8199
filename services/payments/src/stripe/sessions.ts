import Stripe from 'stripe'
import type { CaptureMethod, Terms } from '../domain/payment.ts'
import { toProviderAmount } from './amounts.ts'
import type { StripeClient } from './client.ts'

export type PaymentToMake = {
  id: string
  orderId: string
  terms: Terms
  captureMethod: CaptureMethod
}

// What one Checkout Session may have; longer orders are shown as one line.
const maxLines = 100
const maxNameLength = 250

/** The same session for the same payment. */
export async function createSession(
  { stripe, limits }: StripeClient,
  payment: PaymentToMake,
  publicUrl: string,
): Promise<{ id: string; url: string }> {
  try {
    const session = await stripe.checkout.sessions.create(toSessionParameters(payment, publicUrl), {
      ...limits(),
      idempotencyKey: `payment:${payment.orderId}`,
    })
    if (session.url === null) throw new Error('A new Checkout Session has no address.')
    return { id: session.id, url: session.url }
  } catch (error) {
    // A failure that Stripe keeps under the key is what every repetition gets, though the session
    // may have been made.
    const made = isKeptFailure(error) ? await findSession({ stripe, limits }, payment) : undefined
    if (made) return made
    throw error
  }
}

function isKeptFailure(error: unknown): boolean {
  if (!(error instanceof Stripe.errors.StripeAPIError)) return false
  return error.headers?.['stripe-should-retry'] === 'false'
}

// A session is looked for right after it was made, behind at most as many newer ones.
const maxPages = 3
// Its time, by Stripe's clock, is not before ours less what clocks differ.
const lookBackSeconds = 900

async function findSession(
  { stripe, limits }: Pick<StripeClient, 'stripe' | 'limits'>,
  { id, orderId }: PaymentToMake,
): Promise<{ id: string; url: string } | undefined> {
  const gte = Math.floor(Date.now() / 1_000) - lookBackSeconds
  let after: string | undefined
  for (let page = 0; page < maxPages; page += 1) {
    const { data, has_more: hasMore } = await stripe.checkout.sessions.list(
      { created: { gte }, limit: 100, ...(after === undefined ? {} : { starting_after: after }) },
      limits(),
    )
    const made = data.find(
      (session) => session.client_reference_id === orderId && session.metadata?.payment_id === id,
    )
    if (made?.url) return { id: made.id, url: made.url }
    after = data.at(-1)?.id
    if (!hasMore || after === undefined) return undefined
  }
  return undefined
}

/** The same for the same payment, always: Stripe refuses a key that comes with other parameters. */
function toSessionParameters(
  { id, orderId, terms, captureMethod }: PaymentToMake,
  publicUrl: string,
): Stripe.Checkout.SessionCreateParams {
  const { email, lines, amount, expiresAt } = terms
  const { currency } = amount
  const shown =
    lines.length <= maxLines
      ? lines
      : [{ title: `Order ${orderId}`, quantity: 1, unitAmountMinor: amount.amountMinor }]
  const base = publicUrl.replace(/\/+$/, '')
  const metadata = { order_id: orderId, payment_id: id }
  return {
    mode: 'payment',
    client_reference_id: orderId,
    metadata,
    payment_intent_data: {
      metadata,
      ...(captureMethod === 'manual' ? { capture_method: 'manual' } : {}),
    },
    ...(email === null ? {} : { customer_email: email }),
    line_items: shown.map(({ title, quantity, unitAmountMinor }) => ({
      quantity,
      price_data: {
        currency: currency.toLowerCase(),
        unit_amount: toProviderAmount({ amountMinor: unitAmountMinor, currency }),
        product_data: { name: title.trim().slice(0, maxNameLength) || 'Item' },
      },
    })),
    success_url: `${base}/checkout/return?order=${orderId}`,
    cancel_url: `${base}/checkout/cancelled?order=${orderId}`,
    expires_at: Math.floor(expiresAt.getTime() / 1_000),
  }
}
