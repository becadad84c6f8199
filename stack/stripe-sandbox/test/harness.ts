import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import Stripe from 'stripe'
import { type Sandbox, type SandboxOptions, startSandbox } from '../src/app.ts'

export const apiKey = 'sk_test_0123456789abcdef'
export const webhookSecret = 'whsec_0123456789abcdef'
export const goodCard = { number: '4242 4242 4242 4242', expiry: '12/40', cvc: '123' }

export type Received = { body: string; signature: string }
export type Receiver = {
  url: string
  received: Received[]
  events(): Stripe.Event[]
  /** Status codes of the next answers; 200 when there are none left. */
  answers: number[]
}

/** An endpoint that keeps what it gets. */
export async function startReceiver(t: TestContext): Promise<Receiver> {
  const received: Received[] = []
  const answers: number[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      received.push({ body, signature: String(request.headers['stripe-signature']) })
      const status = answers.shift() ?? 200
      response.writeHead(status).end(status < 300 ? 'thanks' : 'not now')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/webhooks`,
    received,
    answers,
    events: () => received.map(({ body }) => JSON.parse(body) as Stripe.Event),
  }
}

export async function startTestSandbox(
  t: TestContext,
  options: Partial<SandboxOptions> = {},
): Promise<{ sandbox: Sandbox; stripe: Stripe }> {
  const sandbox = await startSandbox({
    apiKey,
    webhookSecret,
    retryScheduleMs: [20, 20, 20],
    ...options,
  })
  t.after(() => sandbox.stop())
  return { sandbox, stripe: clientOf(sandbox) }
}

export function clientOf(
  { host, port }: Pick<Sandbox, 'host' | 'port'>,
  options: { key?: string } = {},
): Stripe {
  return new Stripe(options.key ?? apiKey, { host, port, protocol: 'http', maxNetworkRetries: 0 })
}

export const checkout = {
  mode: 'payment',
  client_reference_id: 'order-1',
  customer_email: 'ada@example.com',
  metadata: { orderId: 'order-1' },
  payment_intent_data: { metadata: { orderId: 'order-1' } },
  success_url: 'http://shop.example/thanks?session={CHECKOUT_SESSION_ID}',
  cancel_url: 'http://shop.example/cart',
  line_items: [
    {
      quantity: 2,
      price_data: { currency: 'eur', unit_amount: 1250, product_data: { name: 'Mug <blue>' } },
    },
    {
      quantity: 1,
      price_data: { currency: 'eur', unit_amount: 499, product_data: { name: 'Postage' } },
    },
  ],
} satisfies Stripe.Checkout.SessionCreateParams

/** Posts the hosted page's form as a browser does, without following the redirect. */
export async function submit(url: string | null, fields: { [name: string]: string }) {
  const response = await fetch(url ?? '', {
    method: 'POST',
    body: new URLSearchParams(fields),
    redirect: 'manual',
  })
  return {
    status: response.status,
    location: response.headers.get('location'),
    text: await response.text(),
  }
}

/** Pays a new session and answers with its payment intent. */
export async function paidIntent(
  stripe: Stripe,
  fields: { [name: string]: string } = goodCard,
  change: Partial<Stripe.Checkout.SessionCreateParams> = {},
): Promise<string> {
  const session = await stripe.checkout.sessions.create({ ...checkout, ...change })
  await submit(session.url, fields)
  const { payment_intent } = await stripe.checkout.sessions.retrieve(session.id)
  return String(payment_intent)
}

export const manual: Partial<Stripe.Checkout.SessionCreateParams> = {
  payment_intent_data: { capture_method: 'manual' },
}
export const byDebit: Partial<Stripe.Checkout.SessionCreateParams> = {
  allowed_payment_method_types: ['sepa_debit'],
}

/** The charge of an intent, as it is now. */
export async function chargeOf(stripe: Stripe, intentId: string): Promise<Stripe.Charge> {
  const intent = await stripe.paymentIntents.retrieve(intentId, { expand: ['latest_charge'] })
  if (typeof intent.latest_charge === 'object' && intent.latest_charge !== null) {
    return intent.latest_charge
  }
  throw new Error('The intent has no charge.')
}

/** The types of all events, oldest first; those after the first `skip` alone. */
export async function eventTypes(stripe: Stripe, skip = 0): Promise<string[]> {
  const events = await stripe.events.list({ limit: 100 })
  return events.data
    .map(({ type }) => type)
    .reverse()
    .slice(skip)
}

/** Calls the inspection API with a JSON body. */
export async function inspect(
  { url }: Pick<Sandbox, 'url'>,
  call: string,
  body?: object,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const [method = 'GET', path = ''] = call.split(' ')
  const response = await fetch(`${url}/_sandbox/${path}`, {
    method,
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
