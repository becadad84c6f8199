import assert from 'node:assert/strict'
import test from 'node:test'
import { eventually } from '@halles/kit/testing'
import {
  byDebit,
  chargeOf,
  checkout,
  eventTypes,
  inspect,
  paidIntent,
  startTestSandbox,
  submit,
} from './harness.ts'

test('a direct debit completes the session unpaid, and the bank pays later', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t, { bankDelayMs: 60_000 })
  const session = await stripe.checkout.sessions.create({ ...checkout, ...byDebit })
  assert.deepEqual(session.payment_method_types, ['sepa_debit'])
  const page = await (await fetch(session.url ?? '')).text()
  assert.match(page, /<label for="iban">/)
  assert.doesNotMatch(page, /name="number"/)
  const sent = await submit(session.url, { iban: 'DE89 3704 0044 0532 0130 00' })
  assert.deepEqual(
    [sent.status, sent.location],
    [303, `http://shop.example/thanks?session=${session.id}`],
  )
  const done = await stripe.checkout.sessions.retrieve(session.id)
  assert.deepEqual([done.status, done.payment_status], ['complete', 'unpaid'])
  const id = String(done.payment_intent)
  await inspect(sandbox, 'POST tasks/run')
  assert.equal((await stripe.paymentIntents.retrieve(id)).status, 'succeeded')
  assert.equal((await stripe.checkout.sessions.retrieve(session.id)).payment_status, 'paid')
  const charge = await chargeOf(stripe, id)
  assert.deepEqual([charge.paid, charge.amount_captured], [true, 2999])
  assert.equal(charge.payment_method_details?.sepa_debit?.last4, '3000')
  assert.deepEqual(await eventTypes(stripe), [
    'payment_intent.created',
    'charge.pending',
    'payment_intent.processing',
    'checkout.session.completed',
    'charge.succeeded',
    'payment_intent.succeeded',
    'checkout.session.async_payment_succeeded',
  ])
})

test('a direct debit that the bank refuses leaves the completed session unpaid', async (t) => {
  const { stripe } = await startTestSandbox(t, { bankDelayMs: 5 })
  const id = await paidIntent(stripe, { iban: 'DE62370400440532013001' }, byDebit)
  await eventually(
    async () => (await stripe.paymentIntents.retrieve(id)).status === 'requires_payment_method',
  )
  const intent = await stripe.paymentIntents.retrieve(id)
  assert.equal(intent.last_payment_error?.code, 'insufficient_funds')
  const charge = await chargeOf(stripe, id)
  assert.deepEqual([charge.status, charge.paid], ['failed', false])
  const [session] = (await stripe.checkout.sessions.list({ payment_intent: id })).data
  assert.deepEqual([session?.status, session?.payment_status], ['complete', 'unpaid'])
  assert.deepEqual(await eventTypes(stripe, 4), [
    'charge.failed',
    'payment_intent.payment_failed',
    'checkout.session.async_payment_failed',
  ])
  const asked = await stripe.events.list({
    types: ['checkout.session.async_payment_failed', 'charge.failed'],
  })
  assert.equal(asked.data.length, 2)
})

test('the bank can be asked for its answer by hand, once', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t, { bankDelayMs: 60_000 })
  const id = await paidIntent(stripe, { iban: 'AT321904300235473204' }, byDebit)
  assert.equal((await stripe.paymentIntents.retrieve(id)).status, 'processing')
  await assert.rejects(stripe.paymentIntents.cancel(id), {
    code: 'payment_intent_unexpected_state',
  })
  const path = `POST dashboard/payment_intents/${id}/settle`
  const failed = await inspect(sandbox, path, { outcome: 'failed' })
  assert.deepEqual([failed.status, failed.body.status], [200, 'requires_payment_method'])
  assert.equal((await inspect(sandbox, path, { outcome: 'succeeded' })).status, 400)
  assert.deepEqual((await inspect(sandbox, 'POST tasks/run')).body, { ran: 1 })
  assert.equal((await stripe.paymentIntents.retrieve(id)).status, 'requires_payment_method')
})

test('a British account pays by Bacs, and a shopper can choose between card and debit', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t)
  const session = await stripe.checkout.sessions.create({
    ...checkout,
    line_items: [
      {
        quantity: 1,
        price_data: { currency: 'gbp', unit_amount: 900, product_data: { name: 'Mug' } },
      },
    ],
  })
  const page = await (await fetch(session.url ?? '')).text()
  assert.match(page, /name="number"[\s\S]*name="account"/)
  await submit(session.url, { sort_code: '10-88-00', account: '00012345' })
  await inspect(sandbox, 'POST tasks/run')
  assert.equal((await stripe.checkout.sessions.retrieve(session.id)).payment_status, 'paid')
})

test('an account that is no test account is refused at its field', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const session = await stripe.checkout.sessions.create({ ...checkout, ...byDebit })
  for (const iban of ['DE00370400440532013999', 'nonsense', '']) {
    const refused = await submit(session.url, { iban })
    assert.equal(refused.status, 402)
    assert.match(refused.text, /name="iban"[^>]*aria-invalid="true"/)
  }
  assert.equal((await stripe.events.list()).data.length, 0)
})
