import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import * as ordersContract from '@halles/contracts/gen/grpc/orders'
import * as contract from '@halles/contracts/gen/grpc/payments'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { AppError } from '@halles/kit/errors'
import { createGrpcClient, type GrpcClient } from '@halles/kit/grpc-client'
import { createGrpcServer, type GrpcServer, grpcService } from '@halles/kit/grpc-server'
import { uuidv7 } from '@halles/kit/ids'
import {
  createTestDatabase,
  eventually,
  silentLogger,
  type TestDatabase,
} from '@halles/kit/testing'
import Stripe from 'stripe'
import { type Sandbox, startSandbox } from '../../../stack/stripe-sandbox/src/app.ts'
import { createApp, type PaymentsApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'

const internalSecret = 'an internal secret of more than 32 characters'
const apiKey = 'sk_test_0123456789abcdef'
const webhookSecret = 'whsec_0123456789abcdef'

type Settle = (request: ordersContract.SettlePaymentRequest) => ordersContract.Settlement

describe('payments', () => {
  let store: TestDatabase
  let broker: TestDatabase
  let sandbox: Sandbox
  let orders: GrpcServer
  let app: PaymentsApp
  let client: GrpcClient<contract.PaymentsServiceRpcs>
  let settle: Settle
  const settled: ordersContract.SettlePaymentRequest[] = []

  beforeEach(() => {
    settled.length = 0
    settle = () => 'SETTLEMENT_APPLIED'
  })

  before(async () => {
    store = await createTestDatabase()
    broker = await createTestDatabase()
    sandbox = await startSandbox({ apiKey, webhookSecret, retryScheduleMs: Array(50).fill(50) })
    const { descriptor, serviceName } = ordersContract
    orders = createGrpcServer({
      host: '127.0.0.1',
      port: 0,
      logger: silentLogger(),
      internalSecret,
      services: [
        grpcService<ordersContract.OrdersServiceRpcs>(
          toServiceDefinition(descriptor, serviceName),
          {
            async settlePayment(request) {
              settled.push(request)
              return { settlement: settle(request) }
            },
          },
        ),
      ],
    })
    await orders.start()
    app = createApp(
      readConfig({
        DATABASE_URL: store.url,
        MESSAGES_URL: broker.url,
        INTERNAL_SECRET: internalSecret,
        STRIPE_API_KEY: apiKey,
        STRIPE_WEBHOOK_SECRET: `whsec_of_the_next_quarter,${webhookSecret}`,
        STRIPE_API_BASE: sandbox.url,
        ORDERS_GRPC: `127.0.0.1:${orders.port()}`,
        PUBLIC_URL: 'https://shop.example',
        LOG_LEVEL: 'silent',
      }),
    )
    await app.start()
    sandbox.sendWebhooksTo(`http://127.0.0.1:${app.httpPort()}/api/v1/webhooks/stripe`)
    client = createGrpcClient<contract.PaymentsServiceRpcs>({
      name: 'payments',
      definition: toServiceDefinition(contract.descriptor, contract.serviceName),
      addresses: [`127.0.0.1:${app.grpcPort()}`],
      internalSecret,
      defaultDeadlineMs: 10_000,
    })
  })

  after(async () => {
    client.close()
    await app.stop()
    await sandbox.stop()
    await orders.stop()
    await broker.drop()
    await store.drop()
  })

  const request = (orderId = uuidv7()): contract.CreatePaymentRequest => ({
    orderId,
    email: 'ada@example.org',
    lines: [{ title: 'Lamp (Brass)', quantity: 2, unitAmountMinor: 1_250 }],
    amountMinor: 2_500,
    currency: 'GBP',
    expiresAtSeconds: Math.floor(Date.now() / 1_000) + 35 * 60,
  })

  const pay = (url: string, number = '4242424242424242') =>
    fetch(url, {
      method: 'POST',
      body: new URLSearchParams({ number, expiry: '12/40', cvc: '123' }),
      redirect: 'manual',
    })

  const stripe = new Stripe(apiKey)

  async function send(event: object, headers: Record<string, string> = {}) {
    const payload = JSON.stringify(event)
    const signature = stripe.webhooks.generateTestHeaderString({ payload, secret: webhookSecret })
    const response = await fetch(`http://127.0.0.1:${app.httpPort()}/api/v1/webhooks/stripe`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'stripe-signature': signature,
        ...headers,
      },
      body: payload,
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  const completed = (orderId = uuidv7()) => ({
    id: `evt_${uuidv7()}`,
    object: 'event',
    type: 'checkout.session.completed',
    data: {
      object: {
        object: 'checkout.session',
        payment_status: 'paid',
        payment_intent: 'pi_1',
        amount_total: 2_500,
        currency: 'gbp',
        metadata: { order_id: orderId, payment_id: uuidv7() },
      },
    },
  })

  test('what is paid on the provider’s page reaches orders, with what was paid', async () => {
    const asked = request()
    const [made, again] = await Promise.all([
      client.createPayment(asked),
      client.createPayment(asked),
    ])
    assert.deepEqual(made, again)
    assert.equal((await pay(made.redirectUrl, '4000000000000002')).status, 402)
    assert.equal((await pay(made.redirectUrl)).status, 303)
    await eventually(() => settled.length > 0)
    const [{ providerEventId, ...told } = { providerEventId: '' }] = settled
    assert.match(providerEventId, /^evt_/)
    assert.deepEqual(told, {
      orderId: asked.orderId,
      paymentId: made.paymentId,
      outcome: 'PAYMENT_OUTCOME_PAID',
      amountMinor: 2_500,
      currency: 'GBP',
    })
    const other = { ...asked, amountMinor: 1_250, lines: [{ ...asked.lines[0], quantity: 1 }] }
    await assert.rejects(client.createPayment(other as typeof asked), { code: 'PAYMENT_MISMATCH' })
    const ended = await client.cancelPayment({ orderId: asked.orderId })
    assert.equal(ended.outcome, 'CANCEL_OUTCOME_REFUNDED')
  })

  test('a session that is cancelled tells orders that it expired', async () => {
    const asked = request()
    const { redirectUrl } = await client.createPayment(asked)
    const ended = await client.cancelPayment({ orderId: asked.orderId })
    assert.equal(ended.outcome, 'CANCEL_OUTCOME_CANCELLED')
    assert.equal((await pay(redirectUrl)).status, 410)
    await eventually(() => settled.some(({ outcome }) => outcome === 'PAYMENT_OUTCOME_EXPIRED'))
  })

  test('while orders fails the provider gets 503 and tries again until it is applied', async () => {
    settle = () => {
      throw new AppError('unavailable', 'DATABASE_UNAVAILABLE', 'Down.')
    }
    const event = completed()
    const failed = await send(event)
    assert.equal(failed.status, 503)
    assert.equal(failed.body.code, 'ORDERS_UNAVAILABLE')
    const { redirectUrl } = await client.createPayment(request())
    await pay(redirectUrl)
    await eventually(() => settled.length > 4)
    settle = () => 'SETTLEMENT_APPLIED'
    assert.deepEqual((await send(event)).body, { received: true, outcome: 'applied' })
    await eventually(() => settled.some(({ orderId }) => orderId !== settled[0]?.orderId))
    assert.deepEqual((await send(event)).body, { received: true, outcome: 'duplicate' })
  })

  test('the same event twenty times at once has one effect', async () => {
    const paid = new Set<string>()
    settle = ({ orderId }) => {
      const isFirst = !paid.has(orderId)
      paid.add(orderId)
      return isFirst ? 'SETTLEMENT_APPLIED' : 'SETTLEMENT_DUPLICATE'
    }
    const event = completed()
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(event)))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    const outcomes = answers.map(({ body }) => body.outcome)
    assert.equal(outcomes.filter((outcome) => outcome === 'applied').length, 1)
    assert.equal(outcomes.filter((outcome) => outcome === 'duplicate').length, 19)
  })

  test('money for a dead order goes back before the provider is told that all is well', async () => {
    settle = () => 'SETTLEMENT_REFUND_DUE'
    const asked = request()
    const { redirectUrl } = await client.createPayment(asked)
    await pay(redirectUrl)
    const api = new Stripe(apiKey, {
      host: sandbox.host,
      port: sandbox.port,
      protocol: 'http',
    })
    await eventually(async () => {
      const { data } = await api.refunds.list({ limit: 10 })
      return data.some(({ amount, status }) => amount === 2_500 && status === 'succeeded')
    })
    await eventually(async () => {
      const ended = await client.cancelPayment({ orderId: asked.orderId })
      return ended.outcome === 'CANCEL_OUTCOME_REFUNDED'
    })
  })

  test('what is forged, refused for good or of no interest is answered as such', async () => {
    // Notices of earlier tests may still be on their way.
    const orderId = uuidv7()
    const told = () => settled.filter((notice) => notice.orderId === orderId).length
    const forged = await send(completed(orderId), { 'stripe-signature': 't=1,v1=00' })
    assert.equal(forged.status, 400)
    assert.equal(forged.body.code, 'INVALID_SIGNATURE')
    const unsigned = await fetch(`http://127.0.0.1:${app.httpPort()}/api/v1/webhooks/stripe`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(completed(orderId)),
    })
    assert.equal(unsigned.status, 400)
    assert.equal(((await unsigned.json()) as { code: string }).code, 'INVALID_SIGNATURE')
    assert.equal(told(), 0)
    const unknown = await send({ ...completed(orderId), type: 'payout.paid' })
    assert.deepEqual(unknown, { status: 200, body: { received: true, outcome: 'ignored' } })
    settle = () => {
      throw new AppError('not-found', 'ORDER_NOT_FOUND', 'There is no such order.')
    }
    const lost = completed(orderId)
    for (const answer of [await send(lost), await send(lost)]) {
      assert.equal(answer.status, 404)
      assert.equal(answer.body.code, 'ORDER_NOT_FOUND')
    }
    assert.equal(told(), 1)
  })
})
