import assert from 'node:assert/strict'
import test from 'node:test'
import { eventually } from '@halles/kit/testing'
import type Stripe from 'stripe'
import {
  apiKey,
  checkout,
  goodCard,
  type Received,
  startReceiver,
  startTestSandbox,
  submit,
  webhookSecret,
} from './harness.ts'

const headers = { authorization: `Bearer ${apiKey}` }

async function deliveriesOf(url: string, eventId: string) {
  const response = await fetch(`${url}/_sandbox/deliveries?event=${eventId}`, { headers })
  assert.equal(response.status, 200)
  const { deliveries } = (await response.json()) as {
    deliveries: { state: string; attempts: { status: number | null; responseBody: string }[] }[]
  }
  return deliveries[0]
}

function verified(stripe: Stripe, { body, signature }: Received): Stripe.Event {
  return stripe.webhooks.constructEvent(body, signature, webhookSecret)
}

test('the SDK accepts the signature, and refuses it for another body or secret', async (t) => {
  const receiver = await startReceiver(t)
  const { stripe } = await startTestSandbox(t, { webhookUrl: receiver.url })
  const session = await stripe.checkout.sessions.create(checkout)
  await submit(session.url, goodCard)
  await eventually(() => receiver.received.length === 4)
  const events = receiver.received.map((each) => verified(stripe, each))
  const completed = events.find(({ type }) => type === 'checkout.session.completed')
  assert.ok(completed?.type === 'checkout.session.completed')
  assert.equal(completed.data.object.id, session.id)
  assert.equal(completed.data.object.payment_status, 'paid')
  assert.match(completed.id, /^evt_\w{24}$/)
  assert.equal(completed.request?.id, null)
  const [first] = receiver.received
  assert.ok(first)
  assert.throws(() => verified(stripe, { ...first, body: `${first.body} ` }), {
    type: 'StripeSignatureVerificationError',
  })
  assert.throws(
    () => stripe.webhooks.constructEvent(first.body, first.signature, 'whsec_another'),
    { type: 'StripeSignatureVerificationError' },
  )
  const read = await stripe.events.retrieve(completed.id)
  assert.deepEqual(read.data, completed.data)
})

test('an event that was refused comes again under its id, with a new signature, until accepted', async (t) => {
  let now = Date.now()
  const receiver = await startReceiver(t)
  receiver.answers.push(500, 302)
  const { stripe, sandbox } = await startTestSandbox(t, {
    clock: () => (now += 1),
    webhookUrl: receiver.url,
    webhookEvents: ['checkout.session.expired'],
  })
  const { id } = await stripe.checkout.sessions.create(checkout)
  await stripe.checkout.sessions.expire(id, {}, { idempotencyKey: 'expire-1' })
  await eventually(() => {
    now += 1_000
    return receiver.received.length === 3
  })
  const events = receiver.received.map((each) => verified(stripe, each))
  assert.equal(new Set(events.map((event) => event.id)).size, 1)
  assert.equal(new Set(receiver.received.map(({ signature }) => signature)).size, 3)
  assert.equal(events[0]?.request?.idempotency_key, 'expire-1')
  const eventId = events[0]?.id ?? ''
  const delivery = await eventually(async () => {
    const current = await deliveriesOf(sandbox.url, eventId)
    return current?.state === 'delivered' && current
  })
  assert.ok(delivery)
  assert.deepEqual(
    delivery.attempts.map(({ status, responseBody }) => [status, responseBody]),
    [
      [500, 'not now'],
      [302, 'not now'],
      [200, 'thanks'],
    ],
  )
  assert.equal((await stripe.events.retrieve(eventId)).pending_webhooks, 0)
})

test('an event is given up after the last retry and can be sent again by hand', async (t) => {
  const receiver = await startReceiver(t)
  receiver.answers.push(500, 500, 500)
  const warnings: object[] = []
  const { stripe, sandbox } = await startTestSandbox(t, {
    webhookUrl: receiver.url,
    retryScheduleMs: [1, 1],
    logger: { warn: (fields) => warnings.push(fields), error: assert.fail },
  })
  const session = await stripe.checkout.sessions.create(checkout)
  await stripe.checkout.sessions.expire(session.id)
  const [event] = (await stripe.events.list()).data
  assert.ok(event)
  await eventually(async () => (await deliveriesOf(sandbox.url, event.id))?.state === 'failed')
  assert.equal(receiver.received.length, 3)
  assert.equal(warnings.length, 1)
  const address = `${sandbox.url}/_sandbox/deliveries/${event.id}/resend`
  const resent = await fetch(address, { method: 'POST', headers })
  const { attempt } = (await resent.json()) as { attempt: { status: number } }
  assert.equal(attempt.status, 200)
  assert.equal(receiver.events()[3]?.id, event.id)
  assert.equal((await deliveriesOf(sandbox.url, event.id))?.state, 'delivered')
})

test('an endpoint that does not answer in time is a failed attempt', async (t) => {
  const { createServer } = await import('node:http')
  const silent = createServer(() => undefined)
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    silent.closeAllConnections()
    silent.close()
  })
  const address = silent.address()
  assert.ok(typeof address === 'object' && address !== null)
  const { stripe, sandbox } = await startTestSandbox(t, {
    webhookUrl: `http://127.0.0.1:${address.port}/`,
    webhookTimeoutMs: 50,
    retryScheduleMs: [],
    logger: { warn: () => undefined, error: assert.fail },
  })
  const session = await stripe.checkout.sessions.create(checkout)
  await stripe.checkout.sessions.expire(session.id)
  const [event] = (await stripe.events.list()).data
  assert.ok(event)
  await eventually(async () => (await deliveriesOf(sandbox.url, event.id))?.state === 'failed')
})

test('events wait for an address that becomes known later and start in order', async (t) => {
  const receiver = await startReceiver(t)
  const { stripe, sandbox } = await startTestSandbox(t, { webhookConcurrency: 1 })
  const session = await stripe.checkout.sessions.create(checkout)
  await submit(session.url, goodCard)
  sandbox.sendWebhooksTo(receiver.url)
  await eventually(() => receiver.received.length === 4)
  assert.deepEqual(
    receiver.events().map(({ type }) => type),
    [
      'payment_intent.created',
      'charge.succeeded',
      'payment_intent.succeeded',
      'checkout.session.completed',
    ],
  )
})

test('the view for tests asks for the key', async (t) => {
  const { sandbox } = await startTestSandbox(t)
  assert.equal((await fetch(`${sandbox.url}/_sandbox/deliveries`)).status, 401)
})
