import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import Stripe from 'stripe'
import { startSandbox } from '../../../stack/stripe-sandbox/src/app.ts'
import { createStripeProvider } from '../src/stripe.ts'
import { fromProviderAmount, toProviderAmount } from '../src/stripe-amounts.ts'
import { gbp, someTerms } from './fixtures.ts'

const apiKey = 'sk_test_0123456789abcdef'
const secrets = ['whsec_0123456789abcdef', 'whsec_fedcba9876543210']
const webhooks = new Stripe(apiKey).webhooks

async function withSandbox(t: { after(work: () => Promise<void>): void }) {
  const sandbox = await startSandbox({ apiKey, webhookSecret: secrets[0] ?? '' })
  const provider = createStripeProvider({
    apiKey,
    webhookSecrets: secrets,
    apiBase: sandbox.url,
    publicUrl: 'https://shop.example/',
  })
  t.after(async () => {
    provider.close()
    await sandbox.stop()
  })
  return { sandbox, provider }
}

async function payAt(url: string) {
  const body = new URLSearchParams({ number: '4242424242424242', expiry: '12/40', cvc: '123' })
  return fetch(url, { method: 'POST', body, redirect: 'manual' })
}

const aPayment = (changes = {}) => ({ id: uuidv7(), orderId: uuidv7(), terms: someTerms(changes) })

test('a session is made once for an order, paid on its page and returned in full, once', async (t) => {
  const { provider } = await withSandbox(t)
  const payment = aPayment()
  const [first, second] = [
    await provider.createSession(payment),
    await provider.createSession(payment),
  ]
  assert.deepEqual(first, second)
  assert.deepEqual(await provider.retrieveSession(first.id), { status: 'open' })
  const answer = await payAt(first.url)
  assert.equal(answer.status, 303)
  assert.equal(
    answer.headers.get('location'),
    `https://shop.example/checkout/return?order=${payment.orderId}`,
  )
  const state = await provider.expireSession(first.id)
  assert.ok(state.status === 'complete' && state.isPaid && state.chargeReference)
  const { chargeReference } = state
  const refundId = await provider.refund({ id: payment.id, chargeReference })
  assert.match(refundId ?? '', /^re_/)
  assert.equal(await provider.refund({ id: payment.id, chargeReference }), refundId)
  assert.equal(await provider.refund({ id: uuidv7(), chargeReference }), null)
})

test('an open session can be ended, again and again', async (t) => {
  const { provider } = await withSandbox(t)
  const { id, url } = await provider.createSession(aPayment({ email: null }))
  assert.deepEqual(await provider.expireSession(id), { status: 'expired' })
  assert.deepEqual(await provider.expireSession(id), { status: 'expired' })
  assert.equal((await payAt(url)).status, 410)
})

test('an order of more lines than a session may have is charged the same amount', async (t) => {
  const { provider } = await withSandbox(t)
  const lines = Array.from({ length: 101 }, () => ({
    title: 'Lamp',
    quantity: 1,
    unitAmountMinor: 25,
  }))
  const { url } = await provider.createSession(aPayment({ lines, amount: gbp(2_525) }))
  assert.match(await (await fetch(url)).text(), /25\.25/)
})

test('what Stripe does not accept is refused for good, and its outage is not', async (t) => {
  const { provider, sandbox } = await withSandbox(t)
  const tooSmall = { lines: [{ title: 'Pin', quantity: 1, unitAmountMinor: 1 }], amount: gbp(1) }
  const refused = { kind: 'unprocessable', code: 'PROVIDER_REFUSED' }
  await assert.rejects(provider.createSession(aPayment(tooSmall)), refused)
  const wrongKey = createStripeProvider({
    apiKey: 'sk_test_another0123456789',
    webhookSecrets: secrets,
    apiBase: sandbox.url,
    publicUrl: 'https://shop.example',
  })
  const unavailable = { kind: 'unavailable', code: 'PROVIDER_UNAVAILABLE' }
  await assert.rejects(wrongKey.createSession(aPayment()), unavailable)
  wrongKey.close()
  for (const status of [429, 500]) {
    const server = createServer((_request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: { type: 'api_error', message: 'not now' } }))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const failing = createStripeProvider({
      apiKey,
      webhookSecrets: secrets,
      apiBase: `http://127.0.0.1:${port}`,
      publicUrl: 'https://shop.example',
    })
    await assert.rejects(failing.createSession(aPayment()), unavailable)
    failing.close()
    server.closeAllConnections()
    server.close()
  }
})

const session = {
  object: 'checkout.session',
  payment_status: 'paid',
  payment_intent: 'pi_1',
  amount_total: 2_500,
  currency: 'gbp',
  metadata: { order_id: uuidv7(), payment_id: uuidv7() },
}
const payloadOf = (type: string, object: object = session) =>
  JSON.stringify({ id: 'evt_1', object: 'event', type, data: { object } })

test('a notification is verified by any active secret, over its exact bytes, for five minutes', async (t) => {
  const { provider } = await withSandbox(t)
  const payload = payloadOf('checkout.session.completed')
  const now = Math.floor(Date.now() / 1_000)
  const header = (secret = '', timestamp = now) =>
    webhooks.generateTestHeaderString({ payload, secret, timestamp })
  for (const secret of secrets) {
    const event = provider.verifyEvent(Buffer.from(payload), header(secret))
    assert.deepEqual(event.notice, {
      outcome: 'paid',
      orderId: session.metadata.order_id,
      paymentId: session.metadata.payment_id,
      chargeReference: 'pi_1',
      amount: gbp(2_500),
    })
  }
  const forged = { kind: 'invalid', code: 'INVALID_SIGNATURE' }
  const verify = (body: string, signature?: string) => () =>
    provider.verifyEvent(Buffer.from(body), signature)
  assert.throws(verify(payload, header('whsec_of_somebody_else')), forged)
  assert.throws(verify(`${payload} `, header(secrets[0])), forged)
  assert.throws(verify(payload, header(secrets[0], now - 301)), forged)
  assert.throws(verify(payload, undefined), forged)
  assert.throws(verify(payload, 'nonsense'), forged)
  const sign = (body: string) =>
    webhooks.generateTestHeaderString({ payload: body, secret: secrets[0] ?? '' })
  for (const body of ['not JSON', '{}', 'null', '"text"', '{"id":"evt_1","type":"x"}']) {
    assert.throws(verify(body, sign(body)), { kind: 'invalid', code: 'MALFORMED_EVENT' })
  }
})

test('only news of our payments are news', async (t) => {
  const { provider } = await withSandbox(t)
  const noticeOf = (payload: string) => {
    const signature = webhooks.generateTestHeaderString({ payload, secret: secrets[1] ?? '' })
    return provider.verifyEvent(Buffer.from(payload), signature).notice
  }
  const outcomeOf = (type: string, object?: object) => noticeOf(payloadOf(type, object))?.outcome
  assert.equal(outcomeOf('checkout.session.expired'), 'expired')
  assert.equal(outcomeOf('checkout.session.async_payment_succeeded'), 'paid')
  assert.equal(outcomeOf('checkout.session.async_payment_failed'), 'expired')
  assert.equal(outcomeOf('charge.updated'), undefined)
  const completed = 'checkout.session.completed'
  assert.equal(outcomeOf(completed, { ...session, payment_status: 'unpaid' }), undefined)
  assert.equal(outcomeOf(completed, { ...session, metadata: {} }), undefined)
  assert.equal(outcomeOf(completed, { ...session, metadata: null }), undefined)
})

test('amounts are the provider’s own count of each currency, both ways', () => {
  for (const [currency, ours, theirs] of [
    ['GBP', 1_250, 1_250],
    ['JPY', 500, 500],
    ['ISK', 500, 50_000],
    ['UGX', 7, 700],
    ['MGA', 500, 5],
  ] as const) {
    assert.equal(toProviderAmount({ amountMinor: ours, currency }), theirs)
    const back = { amountMinor: ours, currency }
    assert.deepEqual(fromProviderAmount(theirs, currency.toLowerCase()), back)
  }
  assert.throws(() => toProviderAmount({ amountMinor: 150, currency: 'MGA' }), {
    code: 'PROVIDER_REFUSED',
  })
})
