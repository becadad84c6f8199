import assert from 'node:assert/strict'
import test from 'node:test'
import Stripe from 'stripe'
import { ApiError } from '../src/errors.ts'
import { createIdempotency } from '../src/idempotency.ts'
import { defaultLimits, pruneStore } from '../src/retention.ts'
import { openStore } from '../src/store.ts'
import { checkout, paidIntent, startTestSandbox } from './harness.ts'

test('the same key and parameters replay the first answer', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const first = await stripe.checkout.sessions.create(checkout, { idempotencyKey: 'key-1' })
  const second = await stripe.checkout.sessions.create(checkout, { idempotencyKey: 'key-1' })
  assert.equal(second.id, first.id)
  assert.equal(first.lastResponse.headers['idempotent-replayed'], undefined)
  assert.equal(second.lastResponse.headers['idempotent-replayed'], 'true')
  assert.equal(second.lastResponse.headers['original-request'], first.lastResponse.requestId)
  assert.equal((await stripe.checkout.sessions.list()).data.length, 1)
})

test('the same key with other parameters or another address is an idempotency error', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const options = { idempotencyKey: 'key-1' }
  const { id } = await stripe.checkout.sessions.create(checkout, options)
  const other = { ...checkout, client_reference_id: 'order-2' }
  await assert.rejects(stripe.checkout.sessions.create(other, options), {
    type: 'StripeIdempotencyError',
    statusCode: 400,
  })
  await assert.rejects(stripe.checkout.sessions.expire(id, {}, options), {
    type: 'StripeIdempotencyError',
    message: /same endpoint/,
  })
})

test('a refusal of wrong parameters leaves the key free, a refusal by the state is kept', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const wrong = { ...checkout, success_url: 'shop' }
  await assert.rejects(stripe.checkout.sessions.create(wrong, { idempotencyKey: 'key-1' }))
  await stripe.checkout.sessions.create(checkout, { idempotencyKey: 'key-1' })

  const payment_intent = await paidIntent(stripe)
  const refund = () =>
    stripe.refunds.create({ payment_intent, amount: 5000 }, { idempotencyKey: 'key-2' })
  await assert.rejects(refund(), { param: 'amount' })
  await assert.rejects(refund(), (error: unknown) => {
    assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError)
    assert.equal(error.headers?.['idempotent-replayed'], 'true')
    return true
  })
})

test('a key that is in use by a request under way is refused with 409', async (t) => {
  const store = openStore(undefined, assert.ifError)
  t.after(() => store.close())
  const { answer } = createIdempotency(store, Date.now)
  const request = { key: 'key-1', path: '/v1/refunds', body: 'a=1', requestId: 'req_1' }
  const first = answer(request, () => '{}')
  await assert.rejects(
    answer(request, () => '{}'),
    (error: unknown) => error instanceof ApiError && error.status === 409,
  )
  assert.deepEqual(await first, { status: 200, body: '{}', replayOf: null })
  assert.deepEqual(await answer({ ...request, requestId: 'req_2' }, assert.fail), {
    status: 200,
    body: '{}',
    replayOf: 'req_1',
  })
})

test('the order of the parameters does not matter, their values do', async (t) => {
  const store = openStore(undefined, assert.ifError)
  t.after(() => store.close())
  const { answer } = createIdempotency(store, Date.now)
  const request = { key: 'key-1', path: '/v1/refunds', body: 'a=1&b=2', requestId: 'req_1' }
  await answer(request, () => '{}')
  assert.equal((await answer({ ...request, body: 'b=2&a=1' }, assert.fail)).replayOf, 'req_1')
  await assert.rejects(answer({ ...request, body: 'b=1&a=2' }, assert.fail), ApiError)
})

test('a key is forgotten after a day', async (t) => {
  let now = 0
  const store = openStore(undefined, assert.ifError)
  t.after(() => store.close())
  const { answer } = createIdempotency(store, () => now)
  const request = { key: 'key-1', path: '/v1/refunds', body: 'a=1', requestId: 'req_1' }
  await answer(request, () => '{"n":1}')
  now = 25 * 3_600_000
  pruneStore(store, defaultLimits, now)
  assert.equal((await answer({ ...request, body: 'a=2' }, () => '{"n":2}')).body, '{"n":2}')
})

test('twenty creations at once with one key make one session', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const create = () =>
    stripe.checkout.sessions.create(checkout, { idempotencyKey: 'key-1', maxNetworkRetries: 5 })
  const sessions = await Promise.all(Array.from({ length: 20 }, create))
  assert.equal(new Set(sessions.map(({ id }) => id)).size, 1)
})
