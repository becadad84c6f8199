import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { AppError } from '@halles/kit/errors'
import { remainingMs } from '@halles/kit/trace'
import Stripe from 'stripe'
import type { Terms } from './domain.ts'
import type { Provider, SessionState } from './ports.ts'
import { toProviderAmount } from './stripe-amounts.ts'
import { createEventVerifier } from './stripe-events.ts'

export type StripeOptions = {
  apiKey: string
  /** All that are active: two while one replaces the other. */
  webhookSecrets: readonly string[]
  /** Where Stripe's API is; its own address when undefined. */
  apiBase: string | undefined
  /** Where shoppers come back to. */
  publicUrl: string
}

// Two tries and the pause between them fit into the 8 s that orders waits for a payment.
const timeoutMs = 3_500
const maxNetworkRetries = 1
// As many as calls that orders may have in flight here; idle ones are closed by Stripe.
const maxSockets = 64
// What one Checkout Session may have; longer orders are shown as one line.
const maxLines = 100
const maxNameLength = 250

/** The provider port on Stripe Checkout, by the official SDK. */
export function createStripeProvider(options: StripeOptions): Provider & { close(): void } {
  const { protocol, ...address } = toAddress(options.apiBase)
  const agentOptions = { keepAlive: true, maxSockets }
  const httpAgent = protocol === 'http' ? new HttpAgent(agentOptions) : new HttpsAgent(agentOptions)
  const stripe = new Stripe(options.apiKey, {
    ...address,
    protocol,
    httpAgent,
    timeout: timeoutMs,
    maxNetworkRetries,
    telemetry: false,
  })
  const limits = () => ({ timeout: Math.max(1, Math.floor(remainingMs(timeoutMs))) })

  async function retrieveSession(sessionId: string): Promise<SessionState> {
    return toState(await stripe.checkout.sessions.retrieve(sessionId, {}, limits()))
  }

  return {
    createSession: (payment) =>
      translated(async () => {
        const session = await stripe.checkout.sessions.create(
          toSessionParameters(payment, options.publicUrl),
          { ...limits(), idempotencyKey: `payment:${payment.orderId}` },
        )
        if (session.url === null) throw new Error('A new Checkout Session has no address.')
        return { id: session.id, url: session.url }
      }),
    expireSession: (sessionId) =>
      translated(async () => {
        try {
          return toState(await stripe.checkout.sessions.expire(sessionId, {}, limits()))
        } catch (error) {
          // It is not open any more: paid or expired since we last heard of it.
          if (error instanceof Stripe.errors.StripeInvalidRequestError) {
            return retrieveSession(sessionId)
          }
          throw error
        }
      }),
    retrieveSession: (sessionId) => translated(() => retrieveSession(sessionId)),
    refund: ({ id, chargeReference }) =>
      translated(async () => {
        try {
          const refund = await stripe.refunds.create(
            { payment_intent: chargeReference, metadata: { payment_id: id } },
            { ...limits(), idempotencyKey: `refund:${id}` },
          )
          return refund.id
        } catch (error) {
          // Stripe forgets idempotency keys after a day; the charge knows that it was returned.
          if (error instanceof Stripe.errors.StripeError && isRefundedAlready(error)) return null
          throw error
        }
      }),
    verifyEvent: createEventVerifier(stripe, options.webhookSecrets),
    close: () => httpAgent.destroy(),
  }
}

function toAddress(base: string | undefined): {
  protocol: 'http' | 'https'
  host?: string
  port?: string
} {
  if (base === undefined) return { protocol: 'https' }
  const { protocol, hostname, port } = new URL(base)
  const isPlain = protocol === 'http:'
  return {
    protocol: isPlain ? 'http' : 'https',
    host: hostname,
    port: port || (isPlain ? '80' : '443'),
  }
}

/** The same for the same payment, always: Stripe refuses a key that comes with other parameters. */
function toSessionParameters(
  { id, orderId, terms }: { id: string; orderId: string; terms: Terms },
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
    payment_intent_data: { metadata },
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

function toState(session: Stripe.Checkout.Session): SessionState {
  const { status, payment_status: paymentStatus, payment_intent: intent } = session
  if (status === 'expired') return { status: 'expired' }
  if (status === 'open') return { status: 'open' }
  return {
    status: 'complete',
    isPaid: paymentStatus !== 'unpaid',
    chargeReference: typeof intent === 'string' ? intent : (intent?.id ?? null),
  }
}

function isRefundedAlready(error: Error & { code?: string | undefined }): boolean {
  return error.code === 'charge_already_refunded'
}

async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw toProviderError(error)
  }
}

/** What Stripe will never accept is told from what another try may change. */
function toProviderError(error: unknown): unknown {
  if (!(error instanceof Stripe.errors.StripeError)) return error
  const details = { providerCode: error.code ?? error.type, requestId: error.requestId }
  if (error instanceof Stripe.errors.StripeInvalidRequestError && error.statusCode !== 409) {
    return new AppError(
      'unprocessable',
      'PROVIDER_REFUSED',
      'The payment provider does not accept this payment.',
      { details, cause: error },
    )
  }
  return new AppError(
    'unavailable',
    'PROVIDER_UNAVAILABLE',
    'The payment provider cannot be reached at the moment.',
    { details, retryAfterSeconds: 2, cause: error },
  )
}
