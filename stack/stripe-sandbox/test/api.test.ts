import assert from 'node:assert/strict'
import test from 'node:test'
import Stripe from 'stripe'
import { apiVersion } from '../src/api-version.ts'
import { apiKey, checkout, clientOf, paidIntent, startTestSandbox } from './harness.ts'

test('the sandbox speaks the API version of the SDK', () => {
  assert.equal(apiVersion, Stripe.API_VERSION)
})

test('a new session is open, unpaid, without a payment intent, and adds up its lines', async (t) => {
  const { stripe, sandbox } = await startTestSandbox(t)
  const session = await stripe.checkout.sessions.create(checkout)
  assert.match(session.id, /^cs_test_\w{58}$/)
  assert.equal(session.url, `${sandbox.url}/c/pay/${session.id}`)
  assert.deepEqual(
    [session.amount_total, session.currency, session.status, session.payment_status],
    [2999, 'eur', 'open', 'unpaid'],
  )
  assert.equal(session.payment_intent, null)
  assert.equal(session.livemode, false)
  assert.deepEqual(session.metadata, { orderId: 'order-1' })
  assert.equal(session.client_reference_id, 'order-1')
  assert.equal(session.expires_at, session.created + 86_400)
  assert.match(session.lastResponse.requestId, /^req_\w{14}$/)
  assert.equal(session.lastResponse.apiVersion, apiVersion)
  const again = await stripe.checkout.sessions.retrieve(session.id, { expand: ['line_items'] })
  assert.deepEqual(
    again.line_items?.data.map((line) => [line.description, line.quantity, line.amount_total]),
    [
      ['Mug <blue>', 2, 2500],
      ['Postage', 1, 499],
    ],
  )
  const lines = await stripe.checkout.sessions.listLineItems(session.id)
  assert.equal(lines.data[0]?.price?.unit_amount_decimal?.toString(), '1250')
})

test('a session asked for with parameters that Stripe refuses is refused by name', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const now = Math.floor(Date.now() / 1000)
  const line = checkout.line_items[0]
  const faults: [object, string, string | undefined][] = [
    [{ line_items: [] }, 'line_items', 'parameter_missing'],
    [
      { line_items: [{ ...line, quantity: 0 }] },
      'line_items[0][quantity]',
      'parameter_invalid_integer',
    ],
    [
      { line_items: [{ ...line, quantity: 1.5 }] },
      'line_items[0][quantity]',
      'parameter_invalid_integer',
    ],
    [{ success_url: 'shop' }, 'success_url', 'url_invalid'],
    [{ success_url: undefined }, 'success_url', 'parameter_missing'],
    [{ customer_email: 'ada' }, 'customer_email', 'email_invalid'],
    [{ surprise: '1' }, 'surprise', 'parameter_unknown'],
    [{ client_reference_id: '' }, 'client_reference_id', 'parameter_invalid_empty'],
    [{ expires_at: now + 60 }, 'expires_at', undefined],
    [{ expires_at: now + 90_000 }, 'expires_at', undefined],
    [{ mode: 'subscription' }, 'mode', undefined],
    [{ metadata: { key: 'x'.repeat(501) } }, 'metadata[key]', undefined],
  ]
  for (const [change, param, code] of faults) {
    const parameters = { ...checkout, ...change } as Stripe.Checkout.SessionCreateParams
    await assert.rejects(stripe.checkout.sessions.create(parameters), (error: unknown) => {
      assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError, param)
      assert.deepEqual([error.param, error.code, error.statusCode], [param, code, 400])
      assert.match(error.requestId ?? '', /^req_/)
      return true
    })
  }
})

test('prices in two currencies and a total that is too small are refused', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const lineIn = (currency: string, unit_amount: number) => ({
    quantity: 1,
    price_data: { currency, unit_amount, product_data: { name: 'Mug' } },
  })
  const mixed = { ...checkout, line_items: [lineIn('eur', 500), lineIn('usd', 500)] }
  await assert.rejects(stripe.checkout.sessions.create(mixed), { param: 'line_items' })
  const tiny = { ...checkout, line_items: [lineIn('eur', 49)] }
  await assert.rejects(stripe.checkout.sessions.create(tiny), { code: 'amount_too_small' })
})

test('a missing object and an unknown address are invalid requests with status 404', async (t) => {
  const { stripe } = await startTestSandbox(t)
  await assert.rejects(stripe.checkout.sessions.retrieve('cs_test_none'), {
    type: 'StripeInvalidRequestError',
    statusCode: 404,
    code: 'resource_missing',
    param: 'session',
  })
  await assert.rejects(stripe.customers.list(), {
    type: 'StripeInvalidRequestError',
    statusCode: 404,
  })
})

test('a wrong or missing key is an authentication error', async (t) => {
  const { sandbox } = await startTestSandbox(t)
  const stranger = clientOf(sandbox, { key: 'sk_test_someone_elses_key' })
  await assert.rejects(stranger.checkout.sessions.list(), { type: 'StripeAuthenticationError' })
  const anonymous = await fetch(`${sandbox.url}/v1/events`)
  assert.equal(anonymous.status, 401)
  const basic = `Basic ${Buffer.from(`${apiKey}:`).toString('base64')}`
  const byBasic = await fetch(`${sandbox.url}/v1/events`, { headers: { authorization: basic } })
  assert.equal(byBasic.status, 200)
})

test('another API version is refused rather than answered in the wrong shape', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const options = { apiVersion: '2020-08-27' }
  await assert.rejects(stripe.events.list({}, options), { type: 'StripeInvalidRequestError' })
})

test('a list goes newest first through pages by cursor and creation time', async (t) => {
  let now = 1_900_000_000_000
  const { stripe } = await startTestSandbox(t, { clock: () => now })
  const ids: string[] = []
  for (let index = 0; index < 5; index++) {
    ids.unshift((await stripe.checkout.sessions.create(checkout)).id)
    now += 1000
  }
  const first = await stripe.checkout.sessions.list({ limit: 2 })
  assert.deepEqual([first.data.map(({ id }) => id), first.has_more], [ids.slice(0, 2), true])
  const next = await stripe.checkout.sessions.list({ limit: 3, starting_after: ids[1] ?? '' })
  assert.deepEqual([next.data.map(({ id }) => id), next.has_more], [ids.slice(2), false])
  const before = await stripe.checkout.sessions.list({ limit: 2, ending_before: ids[4] ?? '' })
  assert.deepEqual([before.data.map(({ id }) => id), before.has_more], [ids.slice(2, 4), true])
  const recent = await stripe.checkout.sessions.list({ created: { gte: 1_900_000_003 } })
  assert.deepEqual(
    recent.data.map(({ id }) => id),
    ids.slice(0, 2),
  )
  const collected: string[] = []
  for await (const session of stripe.checkout.sessions.list({ limit: 2 }))
    collected.push(session.id)
  assert.deepEqual(collected, ids)
  await assert.rejects(stripe.checkout.sessions.list({ starting_after: 'cs_test_none' }), {
    code: 'resource_missing',
    param: 'starting_after',
    statusCode: 400,
  })
  await assert.rejects(stripe.checkout.sessions.list({ limit: 101 }), { param: 'limit' })
})

test('an open session can be expired once', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const { id } = await stripe.checkout.sessions.create(checkout)
  const expired = await stripe.checkout.sessions.expire(id)
  assert.deepEqual(
    [expired.status, expired.url, expired.payment_status],
    ['expired', null, 'unpaid'],
  )
  await assert.rejects(stripe.checkout.sessions.expire(id), {
    type: 'StripeInvalidRequestError',
    message: /status in \["open"\].*status of `expired`/,
  })
})

test('ids are replaced by their objects along the paths asked for', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const intentId = await paidIntent(stripe)
  const intent = await stripe.paymentIntents.retrieve(intentId, {
    expand: ['latest_charge.refunds'],
  })
  assert.ok(typeof intent.latest_charge === 'object' && intent.latest_charge !== null)
  assert.equal(intent.latest_charge.paid, true)
  assert.deepEqual(intent.latest_charge.refunds?.data, [])
  const sessions = await stripe.checkout.sessions.list({
    payment_intent: intentId,
    expand: ['data.payment_intent.latest_charge'],
  })
  const nested = sessions.data[0]?.payment_intent
  assert.ok(typeof nested === 'object' && nested !== null)
  assert.equal(typeof nested.latest_charge, 'object')
  await assert.rejects(stripe.paymentIntents.retrieve(intentId, { expand: ['amount'] }), {
    message: 'This property cannot be expanded (amount).',
  })
})

test('a refund gives back a part, then the rest, and nothing more', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const payment_intent = await paidIntent(stripe)
  const part = await stripe.refunds.create({
    payment_intent,
    amount: 1000,
    reason: 'requested_by_customer',
    metadata: { refundId: 'r-1' },
  })
  assert.match(part.id, /^re_/)
  assert.deepEqual(
    [part.amount, part.status, part.metadata],
    [1000, 'succeeded', { refundId: 'r-1' }],
  )
  await assert.rejects(stripe.refunds.create({ payment_intent, amount: 2000 }), {
    type: 'StripeInvalidRequestError',
    param: 'amount',
    message: 'Refund amount (€20.00) is greater than unrefunded amount on charge (€19.99)',
  })
  const rest = await stripe.refunds.create({ payment_intent, expand: ['charge'] })
  assert.equal(rest.amount, 1999)
  assert.ok(typeof rest.charge === 'object' && rest.charge !== null)
  assert.deepEqual([rest.charge.amount_refunded, rest.charge.refunded], [2999, true])
  await assert.rejects(stripe.refunds.create({ payment_intent }), {
    type: 'StripeInvalidRequestError',
    code: 'charge_already_refunded',
  })
  const list = await stripe.refunds.list({ payment_intent })
  assert.deepEqual(
    list.data.map(({ id }) => id),
    [rest.id, part.id],
  )
  assert.equal((await stripe.refunds.retrieve(part.id)).amount, 1000)
})

test('ten refunds at once give back no more than was paid', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const payment_intent = await paidIntent(stripe)
  const tries = Array.from({ length: 10 }, () =>
    stripe.refunds.create({ payment_intent, amount: 1000 }),
  )
  const results = await Promise.allSettled(tries)
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 2)
})

test('a payment that does not exist or was not made cannot be refunded', async (t) => {
  const { stripe } = await startTestSandbox(t)
  await assert.rejects(stripe.refunds.create({ payment_intent: 'pi_none' }), {
    code: 'resource_missing',
    statusCode: 404,
  })
  await assert.rejects(stripe.refunds.create({}), { code: 'parameter_missing' })
})

test('a body beyond the limit is refused', async (t) => {
  const { sandbox } = await startTestSandbox(t)
  const response = await fetch(`${sandbox.url}/v1/refunds`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}` },
    body: 'a'.repeat(1_100_000),
  })
  assert.equal(response.status, 413)
})

test('the health address answers without a key', async (t) => {
  const { sandbox } = await startTestSandbox(t)
  assert.equal((await fetch(`${sandbox.url}/healthz`)).status, 200)
})
