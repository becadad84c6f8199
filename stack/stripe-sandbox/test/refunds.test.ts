import assert from 'node:assert/strict'
import test from 'node:test'
import { eventually } from '@halles/kit/testing'
import {
  byDebit,
  chargeOf,
  eventTypes,
  goodCard,
  inspect,
  paidIntent,
  startTestSandbox,
} from './harness.ts'

const slowRefunds = { ...goodCard, number: '4000000000007726' }
const failingRefunds = { ...goodCard, number: '4000000000005126' }

test('a refund that takes its time is pending, then succeeds', async (t) => {
  const { stripe } = await startTestSandbox(t, { bankDelayMs: 20 })
  const payment_intent = await paidIntent(stripe, slowRefunds)
  const refund = await stripe.refunds.create({ payment_intent, amount: 500 })
  assert.deepEqual([refund.status, refund.pending_reason], ['pending', 'processing'])
  assert.equal((await chargeOf(stripe, payment_intent)).amount_refunded, 500)
  await eventually(async () => (await stripe.refunds.retrieve(refund.id)).status === 'succeeded')
  assert.deepEqual(await eventTypes(stripe, 4), [
    'refund.created',
    'charge.refunded',
    'refund.updated',
    'charge.refund.updated',
  ])
  const [updated] = (await stripe.events.list({ type: 'refund.updated' })).data
  assert.deepEqual(updated?.data.previous_attributes, { status: 'pending' })
})

test('a refund that the bank sends back fails, and its money can be refunded again', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t, { bankDelayMs: 60_000 })
  const payment_intent = await paidIntent(stripe, failingRefunds)
  const refund = await stripe.refunds.create({ payment_intent })
  assert.equal(refund.status, 'succeeded')
  assert.equal((await chargeOf(stripe, payment_intent)).refunded, true)
  assert.deepEqual((await inspect(sandbox, 'POST tasks/run')).body, { ran: 1 })
  const failed = await stripe.refunds.retrieve(refund.id)
  assert.deepEqual([failed.status, failed.failure_reason], ['failed', 'expired_or_canceled_card'])
  const charge = await chargeOf(stripe, payment_intent)
  assert.deepEqual([charge.amount_refunded, charge.refunded], [0, false])
  assert.deepEqual(await eventTypes(stripe, 6), [
    'refund.updated',
    'charge.refund.updated',
    'refund.failed',
  ])
  assert.equal((await stripe.refunds.create({ payment_intent })).amount, 2999)
})

test('refunds by charge, their metadata and their lists follow Stripe', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const payment_intent = await paidIntent(stripe)
  const { id: charge } = await chargeOf(stripe, payment_intent)
  const first = await stripe.refunds.create({ charge, amount: 100, metadata: { line: '1' } })
  const second = await stripe.refunds.create({ charge, amount: 200, reason: 'duplicate' })
  assert.equal(second.reason, 'duplicate')
  const named = await stripe.refunds.update(first.id, { metadata: { note: 'kept' } })
  assert.deepEqual(named.metadata, { line: '1', note: 'kept' })
  const list = await stripe.refunds.list({ charge, limit: 1 })
  assert.deepEqual([list.data[0]?.id, list.has_more], [second.id, true])
  const next = await stripe.refunds.list({ charge, starting_after: second.id })
  assert.deepEqual([next.data[0]?.id, next.has_more], [first.id, false])
  const none = await stripe.refunds.list({ created: { lt: first.created } })
  assert.equal(none.data.length, 0)
  await assert.rejects(stripe.refunds.create({ charge: 'ch_none' }), { param: 'charge' })
  await assert.rejects(stripe.refunds.create({ charge, amount: 0 }), {
    code: 'parameter_invalid_integer',
  })
})

test('by the API no refund can be cancelled, in the dashboard a pending one can', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t, { bankDelayMs: 60_000 })
  const payment_intent = await paidIntent(stripe, slowRefunds)
  const refund = await stripe.refunds.create({ payment_intent })
  await assert.rejects(stripe.refunds.cancel(refund.id), {
    type: 'StripeInvalidRequestError',
    message: /status of pending/,
  })
  const path = `POST dashboard/refunds/${refund.id}/settle`
  assert.equal((await inspect(sandbox, path, { outcome: 'canceled' })).body.status, 'canceled')
  assert.equal((await chargeOf(stripe, payment_intent)).amount_refunded, 0)
  assert.equal((await inspect(sandbox, path, { outcome: 'succeeded' })).status, 400)
  await inspect(sandbox, 'POST tasks/run')
  assert.equal((await stripe.refunds.retrieve(refund.id)).status, 'canceled')
})

test('a refund made by hand in the dashboard changes the charge and sends events', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t)
  const payment_intent = await paidIntent(stripe)
  const made = await inspect(sandbox, 'POST dashboard/refunds', { payment_intent, amount: 700 })
  assert.deepEqual([made.status, made.body.amount, made.body.metadata], [200, 700, {}])
  assert.equal((await chargeOf(stripe, payment_intent)).amount_refunded, 700)
  assert.deepEqual(await eventTypes(stripe, 4), ['refund.created', 'charge.refunded'])
  const pending = { payment_intent, amount: 1, ending: 'pending' }
  assert.equal((await inspect(sandbox, 'POST dashboard/refunds', pending)).body.status, 'pending')
  const surprise = await inspect(sandbox, 'POST dashboard/refunds', { payment_intent, much: 1 })
  assert.equal(surprise.status, 400)
})

test('a refund of a direct debit is pending until the bank has sent it', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t, { bankDelayMs: 60_000 })
  const payment_intent = await paidIntent(stripe, { iban: 'DE89370400440532013000' }, byDebit)
  await assert.rejects(stripe.refunds.create({ payment_intent }), {
    code: 'payment_intent_unexpected_state',
  })
  await inspect(sandbox, 'POST tasks/run')
  const refund = await stripe.refunds.create({ payment_intent })
  assert.match(refund.id, /^pyr_/)
  assert.equal(refund.status, 'pending')
})
