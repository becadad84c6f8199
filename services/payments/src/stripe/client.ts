import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { AppError } from '@halles/kit/errors'
import { httpClientFacts } from '@halles/kit/span-facts'
import { openSpan, toErrorType } from '@halles/kit/spans'
import { remainingMs } from '@halles/kit/trace'
import Stripe from 'stripe'

export type StripeClient = {
  stripe: Stripe
  /** Options of one call: no longer than whoever asks us waits. */
  limits(): { timeout: number }
  close(): void
}

// Two tries and the pause between them fit into the 8 s that orders waits for a payment.
const timeoutMs = 3_500
const maxNetworkRetries = 1
// As many as calls that orders may have in flight here; idle ones are closed by Stripe.
const maxSockets = 64

/** Stripe's own SDK, with bounds. @param apiBase where the API is; Stripe's own when undefined. */
export function createStripeClient(apiKey: string, apiBase: string | undefined): StripeClient {
  const { protocol, ...address } = toAddress(apiBase)
  const agentOptions = { keepAlive: true, maxSockets }
  const httpAgent = protocol === 'http' ? new HttpAgent(agentOptions) : new HttpsAgent(agentOptions)
  const stripe = new Stripe(apiKey, {
    ...address,
    protocol,
    httpClient: tracedHttpClient(httpAgent),
    timeout: timeoutMs,
    maxNetworkRetries,
    telemetry: false,
  })
  return {
    stripe,
    limits: () => ({ timeout: Math.max(1, Math.floor(remainingMs(timeoutMs))) }),
    close: () => httpAgent.destroy(),
  }
}

/** The SDK's own client, with a span for each request. Stripe is not told of our traces. */
function tracedHttpClient(agent: HttpAgent | HttpsAgent) {
  const client = Stripe.createNodeHttpClient(agent)
  const makeRequest: typeof client.makeRequest = async (...request) => {
    const [host, port, path, method] = request
    const span = openSpan('client')
    const sent = { method, peer: 'stripe', address: `${host}:${port}`, template: toTemplate(path) }
    try {
      const answer = await client.makeRequest(...request)
      span.end(() => httpClientFacts({ ...sent, status: answer.getStatusCode() }))
      return answer
    } catch (error) {
      span.end(() => httpClientFacts({ ...sent, status: undefined, failure: toErrorType(error) }))
      throw error
    }
  }
  return Object.assign(Object.create(client), { makeRequest }) as typeof client
}

/** `/v1/refunds/re_1A?expand[]=x` → `/v1/refunds/{id}`: words of the API are lower-case letters. */
function toTemplate(path: string): string {
  const [bare = ''] = path.split('?', 1)
  return bare.replaceAll(/\/(?!v\d+(?:\/|$))(?![a-z_]+(?:\/|$))[^/]+/g, '/{id}')
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

/** Runs calls of the SDK; throws our own errors for Stripe's. */
export async function translated<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw toProviderError(error)
  }
}

/** What was asked cannot be done with the object as it is. */
export function isRefusal(error: unknown): error is Stripe.errors.StripeError {
  return (
    error instanceof Stripe.errors.StripeInvalidRequestError ||
    error instanceof Stripe.errors.StripeCardError
  )
}

/** What Stripe will never accept is told from what another try may change. */
function toProviderError(error: unknown): unknown {
  if (!(error instanceof Stripe.errors.StripeError)) return error
  const details = { providerCode: error.code ?? error.type, requestId: error.requestId }
  if (error.code === 'resource_missing') {
    const message = 'The payment provider does not know this payment.'
    return new AppError('not-found', 'PROVIDER_PAYMENT_MISSING', message, { details, cause: error })
  }
  if (isRefusal(error)) {
    const message = 'The payment provider does not accept this payment.'
    return new AppError('unprocessable', 'PROVIDER_REFUSED', message, { details, cause: error })
  }
  const message = 'The payment provider cannot be reached at the moment.'
  return new AppError('unavailable', 'PROVIDER_UNAVAILABLE', message, {
    details,
    retryAfterSeconds: retryAfterSeconds(error),
    cause: error,
  })
}

// Without its own word: long enough for a restart, short enough for a shopper who waits.
const defaultRetrySeconds = 2
const maxRetrySeconds = 60

function retryAfterSeconds({ headers }: Stripe.errors.StripeError): number {
  const seconds = Number(headers?.['retry-after'])
  if (!Number.isInteger(seconds) || seconds < 1) return defaultRetrySeconds
  return Math.min(seconds, maxRetrySeconds)
}
