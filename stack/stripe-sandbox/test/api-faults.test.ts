import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import Stripe from 'stripe'
import type { Sandbox } from '../src/app.ts'
import {
  apiKey,
  checkout,
  goodCard,
  inspect,
  paidIntent,
  startTestSandbox,
  submit,
} from './harness.ts'

/** A client that gives up at once, except for what the SDK does whatever it is told. */
async function startFaulty(t: TestContext, fault: object) {
  const { sandbox, stripe } = await startTestSandbox(t)
  const add = (other: object) => switchOn(sandbox, other)
  return { sandbox, stripe, add, faultId: await add(fault) }
}

async function switchOn(sandbox: Sandbox, fault: object): Promise<string> {
  const { status, body } = await inspect(sandbox, 'POST faults', { target: 'api', ...fault })
  assert.equal(status, 200, JSON.stringify(body))
  return (body.fault as { id: string }).id
}

const create = (stripe: Stripe, key: string, options: Stripe.RequestOptions = {}) =>
  stripe.checkout.sessions.create(checkout, { idempotencyKey: key, ...options })

const sessionsOf = async (stripe: Stripe) => (await stripe.checkout.sessions.list()).data.length

test('a failure before the work leaves nothing behind, and its key is free', async (t) => {
  const fault = { kind: 'error_before', match: 'checkout.sessions.create', count: 1, status: 503 }
  const { stripe } = await startFaulty(t, fault)
  await assert.rejects(create(stripe, 'key-1'), (error: unknown) => {
    assert.ok(error instanceof Stripe.errors.StripeAPIError)
    assert.deepEqual([error.statusCode, error.rawType], [503, 'api_error'])
    return true
  })
  assert.equal(await sessionsOf(stripe), 0)
  const session = await create(stripe, 'key-1')
  assert.equal(session.lastResponse.headers['idempotent-replayed'], undefined)
})

test('a failure after the work is found done by a repetition of its key', async (t) => {
  const { stripe } = await startFaulty(t, { kind: 'error_after', match: '*', count: 1 })
  await assert.rejects(create(stripe, 'key-1'), { type: 'StripeAPIError', statusCode: 500 })
  const session = await create(stripe, 'key-1')
  assert.equal(session.lastResponse.headers['idempotent-replayed'], 'true')
  assert.equal(await sessionsOf(stripe), 1)
})

test('a sticky failure is what every repetition gets, and the SDK is told not to try', async (t) => {
  const fault = { kind: 'sticky_error_after', match: 'refunds.create', count: 1 }
  const { stripe } = await startFaulty(t, fault)
  const payment_intent = await paidIntent(stripe)
  const options = { idempotencyKey: 'refund-1', maxNetworkRetries: 3 }
  for (const replayed of [undefined, 'true']) {
    await assert.rejects(stripe.refunds.create({ payment_intent }, options), (error: unknown) => {
      assert.ok(error instanceof Stripe.errors.StripeAPIError)
      assert.equal(error.headers?.['stripe-should-retry'], 'false')
      assert.equal(error.headers?.['idempotent-replayed'], replayed)
      return true
    })
  }
  assert.equal((await stripe.refunds.list({ payment_intent })).data.length, 1)
})

test('a connection that is cut after the charge is a connection error, and the refund is there once', async (t) => {
  // The SDK itself repeats a call whose connection was closed, once, under the same key.
  const fault = { kind: 'reset_after', match: 'refunds.create', count: 2 }
  const { stripe } = await startFaulty(t, fault)
  const payment_intent = await paidIntent(stripe)
  const refund = () =>
    stripe.refunds.create({ payment_intent, amount: 100 }, { idempotencyKey: 'refund-1' })
  await assert.rejects(refund(), (error: unknown) => {
    assert.ok(error instanceof Stripe.errors.StripeConnectionError)
    return true
  })
  const { id } = await refund()
  const { data } = await stripe.refunds.list({ payment_intent })
  assert.deepEqual(
    data.map((each) => each.id),
    [id],
  )
})

test('a connection that is cut before the work leaves nothing behind', async (t) => {
  const fault = { kind: 'reset_before', match: 'checkout.sessions.create', count: 2 }
  const { stripe } = await startFaulty(t, fault)
  await assert.rejects(create(stripe, 'key-1'), { type: 'StripeConnectionError' })
  assert.equal(await sessionsOf(stripe), 0)
})

test('a call that is never answered was done all the same', async (t) => {
  const fault = { kind: 'timeout_after', match: 'checkout.sessions.create' }
  const { stripe } = await startFaulty(t, fault)
  await assert.rejects(create(stripe, 'key-1', { timeout: 50 }), (error: unknown) => {
    assert.ok(error instanceof Stripe.errors.StripeConnectionError)
    assert.match(error.message, /timeout|timed out|aborted/i)
    return true
  })
  assert.equal(await sessionsOf(stripe), 1)
})

test('a rate limit is Stripe’s own refusal, retried only when the header says so', async (t) => {
  const limit = { kind: 'rate_limit', match: 'checkout.sessions.create', count: 1 }
  const { stripe, add } = await startFaulty(t, { ...limit, retry_after: 7 })
  await assert.rejects(create(stripe, 'key-1', { maxNetworkRetries: 2 }), (error: unknown) => {
    assert.ok(error instanceof Stripe.errors.StripeRateLimitError)
    assert.deepEqual([error.statusCode, error.code], [429, 'rate_limit'])
    assert.equal(error.headers?.['retry-after'], '7')
    assert.equal(error.headers?.['stripe-rate-limited-reason'], 'global-rate')
    return true
  })
  await add({ ...limit, should_retry: true })
  await create(stripe, 'key-1', { maxNetworkRetries: 2 })
  assert.equal(await sessionsOf(stripe), 1)
})

test('a lock that cannot be had is a rate limit error that the SDK retries', async (t) => {
  const fault = { kind: 'lock_timeout', match: 'refunds.*', count: 2 }
  const { stripe } = await startFaulty(t, fault)
  const payment_intent = await paidIntent(stripe)
  await assert.rejects(stripe.refunds.create({ payment_intent }), {
    type: 'StripeRateLimitError',
    code: 'lock_timeout',
  })
  const refund = await stripe.refunds.create({ payment_intent }, { maxNetworkRetries: 2 })
  assert.equal(refund.status, 'succeeded')
})

test('a key in use is a conflict that goes away', async (t) => {
  const fault = { kind: 'idempotency_in_use', match: '*', count: 1 }
  const { stripe } = await startFaulty(t, fault)
  await assert.rejects(create(stripe, 'key-1'), {
    statusCode: 409,
    code: 'idempotency_key_in_use',
    rawType: 'idempotency_error',
  })
  await create(stripe, 'key-1')
})

test('a decline of a capture is a card error, and repeated under its key', async (t) => {
  const fault = { kind: 'decline', match: 'payment_intents.capture', count: 1 }
  const { stripe } = await startFaulty(t, fault)
  const id = await paidIntent(stripe, goodCard, {
    payment_intent_data: { capture_method: 'manual' },
  })
  await assert.rejects(stripe.paymentIntents.capture(id), (error: unknown) => {
    assert.ok(error instanceof Stripe.errors.StripeCardError)
    assert.deepEqual([error.code, error.decline_code], ['card_declined', 'generic_decline'])
    return true
  })
  assert.equal((await stripe.paymentIntents.capture(id)).status, 'succeeded')
})

test('a delay answers late and rightly', async (t) => {
  const { stripe } = await startFaulty(t, { kind: 'delay', match: 'events.list', delay_ms: 120 })
  await assert.rejects(stripe.events.list({}, { timeout: 30, maxNetworkRetries: 0 }))
  assert.deepEqual((await stripe.events.list()).data, [])
})

test('the shopper can lose the answer to a payment that was made', async (t) => {
  const { stripe } = await startFaulty(t, { kind: 'reset_after', match: 'page.submit', count: 1 })
  const session = await stripe.checkout.sessions.create(checkout)
  await assert.rejects(submit(session.url, goodCard), TypeError)
  assert.equal((await stripe.checkout.sessions.retrieve(session.id)).payment_status, 'paid')
})

test('a fault strikes as often as asked, with the same dice for the same seed, until switched off', async (t) => {
  const { stripe, sandbox, faultId } = await startFaulty(t, {
    kind: 'error_before',
    match: 'events.*',
    probability: 0.5,
    seed: 7,
    skip: 1,
  })
  const strikes = async () => {
    let pattern = ''
    for (let call = 0; call < 12; call++) {
      pattern += await stripe.events.list().then(
        () => '.',
        () => 'x',
      )
    }
    return pattern
  }
  const first = await strikes()
  assert.match(first, /^\./)
  assert.ok(first.includes('x'))
  const { body } = await inspect(sandbox, 'GET faults')
  const [fault] = body.faults as { id: string; seen: number; hits: number }[]
  assert.deepEqual([fault?.id, fault?.seen], [faultId, 12])
  assert.equal(fault?.hits, first.split('x').length - 1)
  assert.deepEqual((await inspect(sandbox, `DELETE faults/${faultId}`)).body, { removed: 1 })
  assert.equal(await strikes(), '.'.repeat(12))
  const again = { kind: 'error_before', match: 'events.*', probability: 0.5, seed: 7, skip: 1 }
  await switchOn(sandbox, again)
  assert.equal(await strikes(), first)
  assert.deepEqual((await inspect(sandbox, 'DELETE faults')).body, { removed: 1 })
})

test('a fault that makes no sense is refused, and a stranger can switch nothing', async (t) => {
  const { sandbox } = await startTestSandbox(t)
  const faults = [
    { target: 'api', kind: 'wrong_signature' },
    { target: 'webhook', kind: 'rate_limit' },
    { target: 'api', kind: 'delay', probability: 2 },
    { target: 'api', kind: 'delay', surprise: 1 },
    { kind: 'delay' },
  ]
  for (const fault of faults) {
    assert.equal((await inspect(sandbox, 'POST faults', fault)).status, 400)
  }
  const stranger = await fetch(`${sandbox.url}/_sandbox/faults`, { method: 'DELETE' })
  assert.equal(stranger.status, 401)
  const form = await fetch(`${sandbox.url}/_sandbox/faults`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}` },
    body: new URLSearchParams({ target: 'api', kind: 'delay', delay_ms: '1' }),
  })
  assert.equal(form.status, 200)
})
