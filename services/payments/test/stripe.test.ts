import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import Stripe from 'stripe'
import { startSandbox } from '../../../stack/stripe-sandbox/src/app.ts'
import type { OwnRefund } from '../src/domain/state.ts'
import type { References } from '../src/ports.ts'
import { fromProviderAmount, toProviderAmount } from '../src/stripe/amounts.ts'
import { createStripeProvider } from '../src/stripe/provider.ts'
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

const card = { number: '4242424242424242', expiry: '12/40', cvc: '123' }

async function payAt(url: string, fields: Record<string, string> = card) {
  return fetch(url, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' })
}

/** What people do in the provider's dashboard, and banks decide. */
async function inDashboard({ url }: { url: string }, path: string, body: object) {
  const response = await fetch(`${url}/_sandbox/dashboard/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as { id: string }
}

const aPayment = (changes = {}, captureMethod: 'automatic' | 'manual' = 'automatic') => ({
  id: uuidv7(),
  orderId: uuidv7(),
  terms: someTerms(changes),
  captureMethod,
})

const aRefund = (amountMinor: number, id = uuidv7()): OwnRefund & { isRepeated: boolean } => ({
  id,
  providerId: null,
  amountMinor,
  phase: 'pending',
  reason: 'broken',
  isRepeated: false,
})

async function opened(
  provider: ReturnType<typeof createStripeProvider>,
  payment: ReturnType<typeof aPayment>,
) {
  const session = await provider.createSession(payment)
  const references: References = {
    paymentId: payment.id,
    orderId: payment.orderId,
    sessionId: session.id,
    intentId: null,
    currency: payment.terms.amount.currency,
  }
  return { ...session, references }
}

test('a session is made once for an order, paid on its page and refunded in parts', async (t) => {
  const { provider } = await withSandbox(t)
  const payment = aPayment()
  const { id, url, references } = await opened(provider, payment)
  assert.deepEqual(await provider.createSession(payment), { id, url })
  const before = await provider.read(references)
  assert.deepEqual(before, {
    amount: gbp(2_500),
    intentId: null,
    state: { phase: 'open', capturedMinor: 0, refunds: [], disputes: [] },
  })
  const answer = await payAt(url)
  assert.equal(answer.status, 303)
  assert.equal(
    answer.headers.get('location'),
    `https://shop.example/checkout/return?order=${payment.orderId}`,
  )
  const { intentId, state } = await provider.expire(references)
  assert.match(intentId ?? '', /^pi_/)
  assert.deepEqual([state.phase, state.capturedMinor], ['captured', 2_500])
  const asked = aRefund(1_000)
  const made = await provider.refund(references, asked)
  assert.match(made.providerId ?? '', /^re_/)
  assert.deepEqual([made.id, made.amountMinor, made.phase], [asked.id, 1_000, 'succeeded'])
  assert.deepEqual(await provider.refund(references, asked), made)
  const repeated = { ...asked, isRepeated: true }
  assert.deepEqual(await provider.refund({ ...references, intentId }, repeated), made)
  const tooMuch = provider.refund(references, aRefund(1_501))
  await assert.rejects(tooMuch, { kind: 'unprocessable', code: 'PROVIDER_REFUSED' })
  assert.deepEqual((await provider.read(references)).state.refunds, [made])
  assert.equal(await provider.identify(intentId ?? ''), payment.id)
})

test('an open session can be ended, again and again', async (t) => {
  const { provider } = await withSandbox(t)
  const { url, references } = await opened(provider, aPayment({ email: null }))
  for (const _ of [1, 2]) {
    assert.equal((await provider.expire(references)).state.phase, 'ended')
  }
  assert.equal((await payAt(url)).status, 410)
  const unknown = { ...references, sessionId: 'cs_test_unknown' }
  await assert.rejects(provider.read(unknown), { code: 'PROVIDER_PAYMENT_MISSING' })
})

test('what is held is taken in part, and the rest that is let go is no refund', async (t) => {
  const { provider } = await withSandbox(t)
  const { url, references } = await opened(provider, aPayment({}, 'manual'))
  await payAt(url)
  assert.equal((await provider.read(references)).state.phase, 'authorized')
  for (const _ of [1, 2]) {
    const { state } = await provider.capture(references, 2_000)
    const expected = { phase: 'captured', capturedMinor: 2_000, refunds: [], disputes: [] }
    assert.deepEqual(state, expected)
  }
  const made = await provider.refund(references, aRefund(500))
  assert.deepEqual((await provider.read(references)).state.refunds, [made])
})

test('what is held can be let go, and is never taken then', async (t) => {
  const { provider } = await withSandbox(t)
  const { url, references } = await opened(provider, aPayment({}, 'manual'))
  await payAt(url)
  const expected = { phase: 'ended', capturedMinor: 0, refunds: [], disputes: [] }
  assert.deepEqual((await provider.release(references)).state, expected)
  assert.deepEqual((await provider.release(references)).state, expected)
  assert.deepEqual((await provider.capture(references, 2_500)).state, expected)
})

test('refunds and disputes that others make are read too', async (t) => {
  const { provider, sandbox } = await withSandbox(t)
  const { url, references } = await opened(provider, aPayment())
  await payAt(url)
  const { intentId } = await provider.read(references)
  const refund = { payment_intent: intentId, amount: 100, ending: 'pending' }
  const { id: providerId } = await inDashboard(sandbox, 'refunds', refund)
  const stateNow = async () => (await provider.read(references)).state
  const byHand = { id: null, providerId, amountMinor: 100, reason: null }
  assert.deepEqual((await stateNow()).refunds, [{ ...byHand, phase: 'pending' }])
  await inDashboard(sandbox, `refunds/${providerId}/settle`, { outcome: 'failed' })
  assert.deepEqual((await stateNow()).refunds, [{ ...byHand, phase: 'failed' }])
  const { id } = await inDashboard(sandbox, 'disputes', { payment_intent: intentId })
  const dispute = { id, amountMinor: 2_500 }
  assert.deepEqual((await stateNow()).disputes, [{ ...dispute, phase: 'open' }])
  await assert.rejects(provider.refund(references, aRefund(1)), { code: 'PROVIDER_REFUSED' })
  await inDashboard(sandbox, `disputes/${id}/close`, { outcome: 'lost' })
  assert.deepEqual((await stateNow()).disputes, [{ ...dispute, phase: 'lost' }])
})

test('an inquiry of a bank takes no money, and is no dispute', async (t) => {
  const { provider, sandbox } = await withSandbox(t)
  const { url, references } = await opened(provider, aPayment())
  await payAt(url)
  const { intentId } = await provider.read(references)
  await inDashboard(sandbox, 'disputes', { payment_intent: intentId, inquiry: true })
  assert.deepEqual((await provider.read(references)).state.disputes, [])
})

for (const outcome of ['succeeded', 'failed'] as const) {
  test(`a debit is processed for days until it has ${outcome}`, async (t) => {
    const { provider, sandbox } = await withSandbox(t)
    const terms = { amount: { amountMinor: 2_500, currency: 'GBP' } }
    const { url, references } = await opened(provider, aPayment(terms))
    const account = { method: 'bacs_debit', sort_code: '108800', account: '00012345' }
    const answer = await payAt(url, { ...account, email: 'ada@example.org' })
    assert.equal(answer.status, 303, await answer.text())
    const { state, intentId } = await provider.read(references)
    assert.deepEqual([state.phase, state.capturedMinor], ['processing', 0])
    await inDashboard(sandbox, `payment_intents/${intentId}/settle`, { outcome })
    const after = (await provider.read(references)).state
    const expected = outcome === 'failed' ? ['ended', 0] : ['captured', 2_500]
    assert.deepEqual([after.phase, after.capturedMinor], expected)
  })
}

test('payments are listed page by page with how they stand', async (t) => {
  const { provider } = await withSandbox(t)
  const payments = Array.from({ length: 101 }, () => aPayment())
  for (const payment of payments) await provider.createSession(payment)
  const now = Date.now()
  const window = { from: new Date(now - 60_000), to: new Date(now + 60_000) }
  const first = await provider.listPayments(window, null)
  assert.equal(first.items.length, 100)
  const second = await provider.listPayments(window, first.next)
  assert.deepEqual([second.items.length, second.next], [1, null])
  const listed = [...first.items, ...second.items].map(({ paymentId }) => paymentId)
  assert.deepEqual(new Set(listed), new Set(payments.map(({ id }) => id)))
  assert.equal(second.items[0]?.snapshot.state.phase, 'open')
  const earlier = { from: new Date(now - 120_000), to: new Date(now - 60_000) }
  assert.deepEqual((await provider.listPayments(earlier, null)).items, [])
})

test('payments since before there was a provider are those since its first', async (t) => {
  const { provider } = await withSandbox(t)
  const payment = aPayment()
  await provider.createSession(payment)
  const window = { from: new Date('0001-01-01T00:00:00Z'), to: new Date(Date.now() + 60_000) }
  const { items } = await provider.listPayments(window, null)
  assert.deepEqual(
    items.map(({ paymentId }) => paymentId),
    [payment.id],
  )
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
  for (const [status, header] of [
    [429, '7'],
    [500, undefined],
  ] as const) {
    const server = createServer((_request, response) => {
      const retry = header === undefined ? {} : { 'retry-after': header }
      response.writeHead(status, { 'content-type': 'application/json', ...retry })
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
    const retryAfterSeconds = header === undefined ? 2 : Number(header)
    const expected = { ...unavailable, retryAfterSeconds }
    await assert.rejects(failing.createSession(aPayment()), expected)
    failing.close()
    server.closeAllConnections()
    server.close()
  }
})

const session = {
  id: 'cs_1',
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
      orderId: session.metadata.order_id,
      paymentId: session.metadata.payment_id,
      sessionId: 'cs_1',
      intentId: 'pi_1',
      seen: {
        state: { phase: 'captured', capturedMinor: 2_500, refunds: [], disputes: [] },
        amount: gbp(2_500),
        intentId: 'pi_1',
      },
    })
    assert.deepEqual(provider.readEvent(event.payload), event)
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

test('only what tells a whole payment is believed, the rest is asked for', async (t) => {
  const { provider } = await withSandbox(t)
  const noticeOf = (type: string, object?: object) =>
    provider.readEvent(payloadOf(type, object)).notice
  const phaseOf = (type: string, object?: object) => noticeOf(type, object)?.seen?.state.phase
  assert.equal(phaseOf('checkout.session.expired'), 'ended')
  assert.equal(phaseOf('checkout.session.async_payment_succeeded'), 'captured')
  assert.equal(phaseOf('checkout.session.async_payment_failed'), 'ended')
  const { metadata } = session
  const intent = {
    id: 'pi_1',
    status: 'succeeded',
    amount_received: 2_500,
    currency: 'gbp',
    metadata,
  }
  assert.equal(phaseOf('payment_intent.succeeded', intent), 'captured')
  const asked = { orderId: metadata.order_id, paymentId: metadata.payment_id, seen: null }
  const completed = 'checkout.session.completed'
  const unpaid = noticeOf(completed, { ...session, payment_status: 'unpaid' })
  assert.deepEqual(unpaid, { ...asked, sessionId: 'cs_1', intentId: 'pi_1' })
  for (const type of ['canceled', 'payment_failed', 'amount_capturable_updated', 'processing']) {
    const notice = noticeOf(`payment_intent.${type}`, { ...intent, status: 'other' })
    assert.deepEqual(notice, { ...asked, sessionId: null, intentId: 'pi_1' })
  }
  const part = { id: 're_1', payment_intent: 'pi_1', metadata: {} }
  for (const type of [
    ...['charge.captured', 'charge.refunded', 'refund.created', 'refund.updated', 'refund.failed'],
    ...['charge.refund.updated', 'charge.dispute.created', 'charge.dispute.updated'],
    ...['charge.dispute.closed', 'charge.dispute.funds_withdrawn'],
    'charge.dispute.funds_reinstated',
  ]) {
    const none = { orderId: null, paymentId: null, sessionId: null, seen: null }
    assert.deepEqual(noticeOf(type, part), { ...none, intentId: 'pi_1' })
  }
})

test('what does not concern a payment of ours is no news', async (t) => {
  const { provider } = await withSandbox(t)
  const completed = 'checkout.session.completed'
  for (const [type, object] of [
    ['charge.updated', session],
    [completed, { ...session, metadata: {} }],
    [completed, { ...session, metadata: null }],
    ['payment_intent.succeeded', { id: 'pi_2', metadata: {} }],
    ['charge.refunded', { id: 'ch_1', payment_intent: null, metadata: {} }],
  ] as const) {
    assert.equal(provider.readEvent(payloadOf(type, object)).notice, null)
  }
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
