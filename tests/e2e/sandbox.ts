import assert from 'node:assert/strict'
import type { Order } from '@halles/contracts/gen/http/orders'
import type { StackUnderTest } from './stack-under-test.ts'

export type DeliveryAttempt = { status: number | null; responseBody: string | null }
export type SandboxDelivery = {
  eventId: string
  type: string
  state: string
  attempts: DeliveryAttempt[]
}

export type Refund = { id: string; amount: number; status: string; payment_intent: string }

/** The provider's side, as its dashboard would show it. */
export type SandboxClient = {
  webhookSecret: string
  deliveries(): Promise<SandboxDelivery[]>
  resend(eventId: string): Promise<DeliveryAttempt>
  event(eventId: string): Promise<{ id: string; data: { object: { id: string } } }>
  /** The Checkout Session that the order was paid in. */
  sessionOf(order: Order): Promise<{ id: string; payment_intent: string; payment_status: string }>
  sessions(): Promise<{ id: string; amount_total: number; metadata: Record<string, string> }[]>
  refundsOf(order: Order): Promise<Refund[]>
}

export function createSandboxClient(stack: StackUnderTest): SandboxClient {
  const [sandbox] = stack.processes('stripe-sandbox')
  const secrets = stack.readJson('secrets.json') as {
    stripeApiKey: string
    stripeWebhookSecret: string
  }
  const base = `http://127.0.0.1:${sandbox?.ports.http}`

  async function ask<T>(path: string, method = 'GET'): Promise<T> {
    const response = await fetch(`${base}${path}`, {
      method,
      headers: { authorization: `Bearer ${secrets.stripeApiKey}` },
      signal: AbortSignal.timeout(20_000),
    })
    const text = await response.text()
    assert.equal(response.status, 200, `${method} ${path}: ${text}`)
    return JSON.parse(text) as T
  }

  const client: SandboxClient = {
    webhookSecret: secrets.stripeWebhookSecret,
    async deliveries() {
      const { deliveries } = await ask<{ deliveries: SandboxDelivery[] }>('/_sandbox/deliveries')
      return deliveries
    },
    async resend(eventId) {
      const path = `/_sandbox/deliveries/${eventId}/resend`
      return (await ask<{ attempt: DeliveryAttempt }>(path, 'POST')).attempt
    },
    event: (eventId) => ask(`/v1/events/${eventId}`),
    sessionOf: (order) => ask(`/v1/checkout/sessions/${sessionIdOf(order)}`),
    async sessions() {
      return (await ask<{ data: never[] }>('/v1/checkout/sessions?limit=100')).data
    },
    async refundsOf(order) {
      const { payment_intent: intent } = await client.sessionOf(order)
      return (await ask<{ data: Refund[] }>(`/v1/refunds?payment_intent=${intent}`)).data
    },
  }
  return client
}

/** The page to pay at carries the id of its session. */
function sessionIdOf({ payment: { redirectUrl } }: Order): string {
  const id = /\/(cs_\w+)/.exec(redirectUrl ?? '')?.[1]
  assert.ok(id, `There is no session in ${redirectUrl}.`)
  return id
}
