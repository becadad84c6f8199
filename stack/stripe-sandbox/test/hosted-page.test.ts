import assert from 'node:assert/strict'
import test from 'node:test'
import { eventually } from '@halles/kit/testing'
import type Stripe from 'stripe'
import { checkout, goodCard, startReceiver, startTestSandbox, submit } from './harness.ts'

async function eventTypes(stripe: Stripe): Promise<string[]> {
  const events = await stripe.events.list({ limit: 100 })
  return events.data.map(({ type }) => type).reverse()
}

async function intentOf(stripe: Stripe, sessionId: string): Promise<Stripe.PaymentIntent> {
  const options = { expand: ['payment_intent.latest_charge', 'payment_intent.payment_method'] }
  const { payment_intent } = await stripe.checkout.sessions.retrieve(sessionId, options)
  assert.ok(typeof payment_intent === 'object' && payment_intent !== null)
  return payment_intent
}

const openSession = async (stripe: Stripe, change: object = {}) =>
  stripe.checkout.sessions.create({ ...checkout, ...change })

test('the page shows the amount, the lines without markup of the shop, and a labelled form', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const session = await openSession(stripe)
  const response = await fetch(session.url ?? '')
  const text = await response.text()
  assert.equal(response.status, 200)
  assert.match(text, /€29\.99/)
  assert.match(text, /Mug &lt;blue&gt; × 2/)
  for (const name of ['number', 'expiry', 'cvc']) {
    assert.match(text, new RegExp(`<label for="${name}">[^]*<input id="${name}" name="${name}"`))
  }
  const policy = response.headers.get('content-security-policy') ?? ''
  assert.match(policy, /form-action 'self' http:\/\/shop\.example;/)
})

test('a good card completes the session and sends the shopper back to the shop', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const session = await openSession(stripe)
  const paid = await submit(session.url, goodCard)
  assert.deepEqual(
    [paid.status, paid.location],
    [303, `http://shop.example/thanks?session=${session.id}`],
  )
  const done = await stripe.checkout.sessions.retrieve(session.id)
  assert.deepEqual([done.status, done.payment_status, done.url], ['complete', 'paid', null])
  assert.equal(done.customer_details?.email, 'ada@example.com')
  const intent = await intentOf(stripe, session.id)
  assert.deepEqual(
    [intent.status, intent.amount_received, intent.metadata],
    ['succeeded', 2999, { orderId: 'order-1' }],
  )
  const charge = intent.latest_charge as Stripe.Charge
  assert.equal(charge.payment_method_details?.card?.last4, '4242')
  assert.deepEqual(await eventTypes(stripe), [
    'payment_intent.created',
    'charge.succeeded',
    'payment_intent.succeeded',
    'checkout.session.completed',
  ])
  const after = await fetch(`${session.url}`)
  assert.match(await after.text(), /This payment is complete/)
})

for (const [number, declineCode] of [
  ['4000000000000002', 'generic_decline'],
  ['4000000000009995', 'insufficient_funds'],
] as const) {
  test(`card ${number} is declined with ${declineCode}, and another card can pay`, async (t) => {
    const { stripe } = await startTestSandbox(t)
    const session = await openSession(stripe)
    const declined = await submit(session.url, { ...goodCard, number })
    assert.equal(declined.status, 402)
    assert.match(declined.text, /role="alert"/)
    assert.ok(!declined.text.includes(number))
    const failed = await intentOf(stripe, session.id)
    assert.equal(failed.status, 'requires_payment_method')
    assert.deepEqual(
      [failed.last_payment_error?.code, failed.last_payment_error?.decline_code],
      ['card_declined', declineCode],
    )
    assert.deepEqual(await eventTypes(stripe), [
      'payment_intent.created',
      'charge.failed',
      'payment_intent.payment_failed',
    ])
    assert.equal((await submit(session.url, goodCard)).status, 303)
    const paid = await intentOf(stripe, session.id)
    assert.deepEqual([paid.id, paid.status], [failed.id, 'succeeded'])
  })
}

for (const number of ['4000002500003155', '4000002760003184']) {
  test(`card ${number} pays only after the bank's authentication`, async (t) => {
    const { stripe, sandbox } = await startTestSandbox(t)
    const session = await openSession(stripe)
    const asked = await submit(session.url, { ...goodCard, number })
    assert.deepEqual([asked.status, asked.location], [303, `/c/pay/${session.id}`])
    const page = await fetch(new URL(asked.location ?? '', sandbox.url))
    assert.match(await page.text(), /name="authentication" value="complete"/)
    assert.equal((await intentOf(stripe, session.id)).status, 'requires_action')

    const failed = await submit(session.url, { authentication: 'fail' })
    assert.equal(failed.status, 402)
    const refused = await intentOf(stripe, session.id)
    assert.equal(refused.last_payment_error?.code, 'payment_intent_authentication_failure')

    assert.equal((await submit(session.url, { authentication: 'complete' })).status, 402)
    assert.equal((await submit(session.url, { ...goodCard, number })).status, 303)
    const paid = await submit(session.url, { authentication: 'complete' })
    assert.match(paid.location ?? '', /^http:\/\/shop\.example/)
    assert.equal((await intentOf(stripe, session.id)).status, 'succeeded')
  })
}

test('a card without funds is declined after its authentication', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const session = await openSession(stripe)
  await submit(session.url, { ...goodCard, number: '4000008260003178' })
  assert.equal((await submit(session.url, { authentication: 'complete' })).status, 402)
  const intent = await intentOf(stripe, session.id)
  assert.equal(intent.last_payment_error?.decline_code, 'insufficient_funds')
})

test('a card that cannot exist is refused at its field and leaves no trace', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const session = await openSession(stripe)
  const refused = await submit(session.url, { ...goodCard, number: '4242424242424241' })
  assert.equal(refused.status, 402)
  assert.match(refused.text, /Your card number is invalid/)
  assert.match(refused.text, /name="number"[^>]*aria-invalid="true"/)
  assert.equal((await submit(session.url, {})).status, 402)
  assert.deepEqual(await eventTypes(stripe), [])
})

test('forty posts at once charge once', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const session = await openSession(stripe)
  const posts = Array.from({ length: 40 }, () => submit(session.url, goodCard))
  const answers = await Promise.all(posts)
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [303])
  const charges = await stripe.charges.list({ limit: 100 })
  assert.equal(charges.data.length, 1)
  const completed = await stripe.events.list({ type: 'checkout.session.completed' })
  assert.equal(completed.data.length, 1)
})

test('a session whose time is over expires by itself and cannot be paid', async (t) => {
  let now = Date.now()
  const receiver = await startReceiver(t)
  const { stripe } = await startTestSandbox(t, { clock: () => now, webhookUrl: receiver.url })
  const session = await openSession(stripe, { expires_at: Math.floor(now / 1000) + 1_900 })
  await submit(session.url, { ...goodCard, number: '4000000000000002' })
  now += 1_901_000
  await eventually(() => receiver.events().some(({ type }) => type === 'checkout.session.expired'))
  assert.equal((await stripe.checkout.sessions.retrieve(session.id)).status, 'expired')
  assert.equal((await intentOf(stripe, session.id)).status, 'canceled')
  assert.equal((await submit(session.url, goodCard)).status, 410)
})

test('a page of no session is not found', async (t) => {
  const { sandbox } = await startTestSandbox(t)
  assert.equal((await fetch(`${sandbox.url}/c/pay/cs_test_none`)).status, 404)
  assert.equal((await submit(`${sandbox.url}/c/pay/cs_test_none`, goodCard)).status, 404)
})

test('an e-mail is asked for when the shop did not give one', async (t) => {
  const { stripe } = await startTestSandbox(t)
  const session = await openSession(stripe, { customer_email: undefined })
  assert.match(await (await fetch(session.url ?? '')).text(), /<input id="email"/)
  await submit(session.url, { ...goodCard, email: 'grace@example.com' })
  const done = await stripe.checkout.sessions.retrieve(session.id)
  assert.equal(done.customer_details?.email, 'grace@example.com')
})
