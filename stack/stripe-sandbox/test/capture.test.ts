import assert from 'node:assert/strict'
import test from 'node:test'
import { eventually } from '@halles/kit/testing'
import Stripe from 'stripe'
import {
  chargeOf,
  checkout,
  eventTypes,
  goodCard,
  inspect,
  manual,
  paidIntent,
  startTestSandbox,
} from './harness.ts'

test('with manual capture a good card is held, not charged, until the shop takes the money', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const id = await paidIntent(stripe, goodCard, manual)
  const held = await stripe.paymentIntents.retrieve(id)
  assert.deepEqual(
    [held.status, held.amount_capturable, held.amount_received],
    ['requires_capture', 2999, 0],
  )
  const [session] = (await stripe.checkout.sessions.list({ payment_intent: id })).data
  assert.deepEqual([session?.status, session?.payment_status], ['complete', 'unpaid'])
  assert.deepEqual(await eventTypes(stripe), [
    'payment_intent.created',
    'charge.succeeded',
    'payment_intent.amount_capturable_updated',
    'checkout.session.completed',
  ])
  await assert.rejects(stripe.refunds.create({ payment_intent: id }), {
    code: 'payment_intent_unexpected_state',
  })

  const paid = await stripe.paymentIntents.capture(id)
  assert.deepEqual(
    [paid.status, paid.amount_capturable, paid.amount_received],
    ['succeeded', 0, 2999],
  )
  const charge = await chargeOf(stripe, id)
  assert.deepEqual([charge.captured, charge.amount_captured], [true, 2999])
  const [after] = (await stripe.checkout.sessions.list({ payment_intent: id })).data
  assert.equal(after?.payment_status, 'paid')
  assert.deepEqual(await eventTypes(stripe, 4), ['charge.captured', 'payment_intent.succeeded'])
})

test('what a partial capture leaves is let go as a refund, and the captured part can be refunded', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const id = await paidIntent(stripe, goodCard, manual)
  await assert.rejects(stripe.paymentIntents.capture(id, { amount_to_capture: 3000 }), {
    type: 'StripeInvalidRequestError',
    code: 'amount_too_large',
    param: 'amount_to_capture',
  })
  const paid = await stripe.paymentIntents.capture(id, { amount_to_capture: 2000 })
  assert.equal(paid.amount_received, 2000)
  const charge = await chargeOf(stripe, id)
  assert.deepEqual(
    [charge.amount, charge.amount_captured, charge.amount_refunded, charge.refunded],
    [2999, 2000, 999, false],
  )
  const refunds = await stripe.refunds.list({ payment_intent: id })
  assert.deepEqual(
    refunds.data.map(({ amount }) => amount),
    [999],
  )
  assert.equal((await stripe.refunds.create({ payment_intent: id })).amount, 2000)
  assert.equal((await chargeOf(stripe, id)).refunded, true)
})

test('an intent is captured once; the refusal carries it', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const id = await paidIntent(stripe, goodCard, manual)
  const tries = Array.from({ length: 5 }, () => stripe.paymentIntents.capture(id))
  const results = await Promise.allSettled(tries)
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  await assert.rejects(stripe.paymentIntents.capture(id), (error: unknown) => {
    assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError)
    assert.equal(error.code, 'payment_intent_unexpected_state')
    assert.equal(error.payment_intent?.id, id)
    return true
  })
})

test('a held payment that is cancelled is let go; a paid one cannot be cancelled', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const id = await paidIntent(stripe, goodCard, manual)
  const canceled = await stripe.paymentIntents.cancel(id, {
    cancellation_reason: 'requested_by_customer',
  })
  assert.deepEqual(
    [canceled.status, canceled.cancellation_reason, canceled.amount_capturable],
    ['canceled', 'requested_by_customer', 0],
  )
  const charge = await chargeOf(stripe, id)
  assert.deepEqual(
    [charge.captured, charge.amount_captured, charge.amount_refunded, charge.refunded],
    [false, 0, 2999, true],
  )
  assert.deepEqual(await eventTypes(stripe, 4), ['charge.refunded', 'payment_intent.canceled'])
  await assert.rejects(stripe.paymentIntents.capture(id), { message: /status of canceled/ })
  await assert.rejects(stripe.refunds.create({ payment_intent: id }), {
    code: 'charge_already_refunded',
  })
  const paid = await paidIntent(stripe)
  await assert.rejects(stripe.paymentIntents.cancel(paid), { message: /status of succeeded/ })
})

test('the intent of an open session is cancelled by expiring the session', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const id = await paidIntent(stripe, { ...goodCard, number: '4000000000000002' })
  await assert.rejects(stripe.paymentIntents.cancel(id), { message: /open Checkout Session/ })
  const [session] = (await stripe.checkout.sessions.list({ payment_intent: id })).data
  await stripe.checkout.sessions.expire(session?.id ?? '')
  assert.equal((await stripe.paymentIntents.retrieve(id)).status, 'canceled')
})

test('the bank lets go what nobody captured in time', async (t) => {
  const { stripe } = await startTestSandbox(t, { authorizationMs: 20 })
  const id = await paidIntent(stripe, goodCard, manual)
  await eventually(async () => (await stripe.paymentIntents.retrieve(id)).status === 'canceled')
  assert.equal((await stripe.paymentIntents.retrieve(id)).cancellation_reason, 'automatic')
  assert.deepEqual(await eventTypes(stripe, 4), ['charge.expired', 'payment_intent.canceled'])
  const [released] = (await stripe.refunds.list({ payment_intent: id })).data
  assert.equal(released?.reason, 'expired_uncaptured_charge')
})

test('what a bank says on demand leaves a held payment alone, unless that is asked for', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t)
  const id = await paidIntent(stripe, goodCard, manual)
  assert.deepEqual((await inspect(sandbox, 'POST tasks/run')).body, { ran: 0 })
  assert.equal((await stripe.paymentIntents.retrieve(id)).status, 'requires_capture')
  const ended = await inspect(sandbox, 'POST tasks/run', { kind: 'authorization_end' })
  assert.deepEqual(ended.body, { ran: 1 })
  assert.equal((await stripe.paymentIntents.retrieve(id)).status, 'canceled')
})

test('a capture and a cancellation by hand in the dashboard are events like any other', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t)
  const id = await paidIntent(stripe, goodCard, manual)
  const path = `POST dashboard/payment_intents/${id}`
  const captured = await inspect(sandbox, `${path}/capture`, { amount_to_capture: 1000 })
  assert.deepEqual([captured.status, captured.body.status], [200, 'succeeded'])
  const [event] = (await stripe.events.list({ type: 'payment_intent.succeeded' })).data
  assert.match(event?.request?.id ?? '', /^req_/)
  assert.equal(event?.request?.idempotency_key, null)
  assert.equal((await inspect(sandbox, `${path}/cancel`)).status, 400)
  const other = await paidIntent(stripe, goodCard, manual)
  const canceled = await inspect(sandbox, `POST dashboard/payment_intents/${other}/cancel`)
  assert.deepEqual([canceled.status, canceled.body.status], [200, 'canceled'])
})

test('a capture is repeated under its key and refused with an unknown parameter', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const id = await paidIntent(stripe, goodCard, manual)
  const options = { idempotencyKey: 'capture-1' }
  const first = await stripe.paymentIntents.capture(id, {}, options)
  const second = await stripe.paymentIntents.capture(id, {}, options)
  assert.deepEqual(second, first)
  assert.equal(second.lastResponse.headers['idempotent-replayed'], 'true')
  const surprise = { surprise: '1' } as Stripe.PaymentIntentCaptureParams
  await assert.rejects(stripe.paymentIntents.capture(id, surprise), { code: 'parameter_unknown' })
})

test('a debit is offered where it fits, and a session without a way to pay is refused', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const typesOf = async (change: Partial<Stripe.Checkout.SessionCreateParams>) =>
    (await stripe.checkout.sessions.create({ ...checkout, ...change })).payment_method_types
  assert.deepEqual(await typesOf({}), ['card', 'sepa_debit'])
  assert.deepEqual(await typesOf(manual), ['card'])
  assert.deepEqual(await typesOf({ excluded_payment_method_types: ['sepa_debit'] }), ['card'])
  for (const type of ['sepa_debit', 'bacs_debit', 'paypal'] as const) {
    const none = { ...checkout, ...manual, allowed_payment_method_types: [type] }
    await assert.rejects(stripe.checkout.sessions.create(none), {
      type: 'StripeInvalidRequestError',
      param: 'allowed_payment_method_types',
    })
  }
  const old = { ...checkout, payment_method_types: ['card'] }
  await assert.rejects(stripe.checkout.sessions.create(old), { code: 'parameter_unknown' })
})
