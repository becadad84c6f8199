import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { eventually } from '@halles/kit/testing'
import Stripe from 'stripe'
import type { SandboxOptions } from '../src/app.ts'
import {
  checkout,
  inspect,
  paidIntent,
  startReceiver,
  startTestSandbox,
  webhookSecret,
} from './harness.ts'

async function startFaulty(
  t: TestContext,
  fault: object | null,
  options: Partial<SandboxOptions> = {},
) {
  const receiver = await startReceiver(t)
  const { sandbox, stripe } = await startTestSandbox(t, {
    webhookUrl: receiver.url,
    webhookEvents: ['checkout.session.expired'],
    ...options,
  })
  if (fault !== null) {
    const { status } = await inspect(sandbox, 'POST faults', { target: 'webhook', ...fault })
    assert.equal(status, 200)
  }
  return { receiver, sandbox, stripe }
}

/** Makes one event of the type that the endpoint is subscribed to. */
async function expireOne(stripe: Stripe): Promise<string> {
  const { id } = await stripe.checkout.sessions.create(checkout)
  await stripe.checkout.sessions.expire(id)
  const [event] = (await stripe.events.list({ type: 'checkout.session.expired' })).data
  return event?.id ?? ''
}

type Delivery = { state: string; attempts: { status: number | null; error: string | null }[] }

async function settledDelivery(sandbox: { url: string }, eventId: string): Promise<Delivery> {
  return eventually(async () => {
    const { body } = await inspect(sandbox, `GET deliveries?event=${eventId}`)
    const [delivery] = body.deliveries as Delivery[]
    return delivery !== undefined && delivery.state !== 'waiting' && delivery
  }) as Promise<Delivery>
}

const verify = (each: { body: string; signature: string } | undefined, secret = webhookSecret) =>
  new Stripe('sk_test_any').webhooks.constructEvent(each?.body ?? '', each?.signature ?? '', secret)

test('a duplicated webhook comes with the same id, at once or later', async (t) => {
  const { receiver, sandbox, stripe } = await startFaulty(t, {
    kind: 'duplicate',
    copies: 2,
    count: 1,
  })
  const first = await expireOne(stripe)
  assert.equal((await settledDelivery(sandbox, first)).attempts.length, 3)
  await inspect(sandbox, 'POST faults', { target: 'webhook', kind: 'duplicate', delay_ms: 30 })
  const second = await expireOne(stripe)
  const { attempts, state } = await settledDelivery(sandbox, second)
  assert.deepEqual([attempts.length, state], [2, 'delivered'])
  assert.deepEqual(
    receiver.events().map(({ id }) => id),
    [first, first, first, second, second],
  )
})

test('a dropped webhook comes with the next try, a lost one never', async (t) => {
  const warnings: object[] = []
  const logger = { warn: (fields: object) => warnings.push(fields), error: assert.fail }
  const { receiver, sandbox, stripe } = await startFaulty(t, { kind: 'drop', count: 1 }, { logger })
  const dropped = await expireOne(stripe)
  assert.deepEqual(
    (await settledDelivery(sandbox, dropped)).attempts.map(({ status, error }) => [status, error]),
    [
      [null, 'fault: drop'],
      [200, null],
    ],
  )
  await inspect(sandbox, 'POST faults', { target: 'webhook', kind: 'lose', count: 1 })
  const lost = await expireOne(stripe)
  assert.equal((await settledDelivery(sandbox, lost)).state, 'failed')
  assert.deepEqual(
    receiver.events().map(({ id }) => id),
    [dropped],
  )
  const missed = await stripe.events.list({ delivery_success: false })
  assert.deepEqual(
    missed.data.map(({ id }) => id),
    [lost],
  )
  assert.equal(warnings.length, 1)
})

test('a webhook whose answer is lost comes again although it was accepted', async (t) => {
  const { receiver, sandbox, stripe } = await startFaulty(t, { kind: 'lose_answer', count: 1 })
  const id = await expireOne(stripe)
  const { attempts } = await settledDelivery(sandbox, id)
  assert.deepEqual(
    attempts.map(({ error }) => error),
    ['fault: lose_answer', null],
  )
  assert.equal(receiver.received.length, 2)
})

test('a wrong signature and an old timestamp are refused by the SDK, the next try is sound', async (t) => {
  const { receiver, sandbox, stripe } = await startFaulty(t, { kind: 'wrong_signature', count: 1 })
  receiver.answers.push(400, 400)
  await inspect(sandbox, 'POST faults', { target: 'webhook', kind: 'stale_timestamp', count: 1 })
  const id = await expireOne(stripe)
  assert.equal((await settledDelivery(sandbox, id)).state, 'delivered')
  const [forged, stale, sound] = receiver.received
  assert.throws(
    () => verify(forged),
    (error: unknown) => {
      assert.ok(error instanceof Stripe.errors.StripeSignatureVerificationError)
      return true
    },
  )
  assert.throws(() => verify(stale), {
    type: 'StripeSignatureVerificationError',
    message: /tolerance/i,
  })
  assert.equal(verify(sound).id, id)
})

test('a delayed type overtakes nobody, and dice can put a payment’s events in another order', async (t) => {
  const { receiver, stripe, sandbox } = await startFaulty(
    t,
    { kind: 'delay', match: 'charge.succeeded', delay_ms: 60 },
    { webhookEvents: ['*'], webhookConcurrency: 1 },
  )
  await paidIntent(stripe)
  const types = () => receiver.events().map(({ type }) => type)
  await eventually(() => receiver.received.length === 4)
  assert.deepEqual(types(), [
    'payment_intent.created',
    'payment_intent.succeeded',
    'checkout.session.completed',
    'charge.succeeded',
  ])
  await inspect(sandbox, 'DELETE faults')
  const reorder = { target: 'webhook', kind: 'reorder', delay_ms: 200, seed: 4 }
  await inspect(sandbox, 'POST faults', reorder)
  await paidIntent(stripe)
  await eventually(() => receiver.received.length === 8)
  assert.deepEqual(new Set(types().slice(4)), new Set(types().slice(0, 4)))
  assert.notEqual(types().slice(4)[0], 'payment_intent.created')
})

test('while secrets are rolled each of them signs, and afterwards the new one alone', async (t) => {
  const old = 'whsec_the_old_secret_0'
  const next = 'whsec_the_new_secret_0'
  const { receiver, sandbox, stripe } = await startFaulty(t, null, { webhookSecret: [old, next] })
  await settledDelivery(sandbox, await expireOne(stripe))
  const [both] = receiver.received
  assert.match(both?.signature ?? '', /^t=\d+,v1=[0-9a-f]{64},v1=[0-9a-f]{64}$/)
  assert.equal(verify(both, old).id, verify(both, next).id)
  const rolled = await inspect(sandbox, 'POST webhook-secrets', { secrets: [next] })
  assert.deepEqual(rolled.body, { active: 1 })
  await settledDelivery(sandbox, await expireOne(stripe))
  assert.throws(() => verify(receiver.received[1], old), {
    type: 'StripeSignatureVerificationError',
  })
  assert.ok(verify(receiver.received[1], next).id)
  assert.equal((await inspect(sandbox, 'POST webhook-secrets', { secrets: ['short'] })).status, 400)
})

test('the state of the sandbox tells when everything is settled', async (t) => {
  const { sandbox, stripe } = await startFaulty(t, null)
  await expireOne(stripe)
  const state = await eventually(async () => {
    const { body } = await inspect(sandbox, 'GET state')
    return (body.deliveries as { waiting: number }).waiting === 0 && body
  })
  assert.deepEqual(state, {
    objects: { 'checkout.session': 1 },
    deliveries: { waiting: 0, delivered: 1 },
    tasks: 0,
    inFlight: 0,
  })
})
