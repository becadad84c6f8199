import assert from 'node:assert/strict'
import test from 'node:test'
import type Stripe from 'stripe'
import { eventTypes } from '../src/domain/decision.ts'
import { paidIntent, startTestSandbox } from './harness.ts'
import { liveThroughAll } from './lives.ts'

async function allEvents(
  stripe: Stripe,
  parameters: Stripe.EventListParams = {},
): Promise<Stripe.Event[]> {
  const events: Stripe.Event[] = []
  for await (const event of stripe.events.list({ limit: 100, ...parameters })) events.push(event)
  return events
}

test('each type of event that the sandbox knows is sent by somebody', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t, { bankDelayMs: 60_000 })
  await liveThroughAll(stripe, sandbox)
  const sent = new Set((await allEvents(stripe)).map(({ type }) => type))
  assert.deepEqual([...sent].sort(), [...eventTypes].sort())
})

test('events can be listed by type, by types and by window, and each is found by its id', async (t) => {
  let now = 1_900_000_000_000
  const { stripe } = await startTestSandbox(t, { clock: () => now })
  await paidIntent(stripe)
  now += 60_000
  await paidIntent(stripe)
  const window = { created: { gte: 1_900_000_000, lt: 1_900_000_060 } }
  assert.equal((await allEvents(stripe, window)).length, 4)
  const succeeded = await allEvents(stripe, { type: 'charge.succeeded' })
  assert.equal(succeeded.length, 2)
  const two = await allEvents(stripe, { types: ['charge.succeeded', 'payment_intent.created'] })
  assert.equal(two.length, 4)
  assert.equal((await allEvents(stripe, { type: 'charge.dispute.created' })).length, 0)
  const [newest] = succeeded
  const found = await stripe.events.retrieve(newest?.id ?? '')
  assert.deepEqual([found.type, found.created], ['charge.succeeded', 1_900_000_060])
  await assert.rejects(stripe.events.retrieve('evt_none'), { code: 'resource_missing' })
})

test('an event tells what changed', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const payment_intent = await paidIntent(stripe)
  await stripe.refunds.create({ payment_intent, amount: 100 }, { idempotencyKey: 'refund-1' })
  const [event] = await allEvents(stripe, { type: 'charge.refunded' })
  assert.ok(event?.type === 'charge.refunded')
  assert.equal(event.data.object.amount_refunded, 100)
  assert.deepEqual(event.data.previous_attributes, { amount_refunded: 0, refunded: false })
  assert.equal(event.request?.idempotency_key, 'refund-1')
})
