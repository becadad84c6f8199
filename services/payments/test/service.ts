import assert from 'node:assert/strict'
import * as ordersContract from '@halles/contracts/gen/grpc/orders'
import * as contract from '@halles/contracts/gen/grpc/payments'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { createGrpcClient } from '@halles/kit/grpc-client'
import { createGrpcServer, grpcService } from '@halles/kit/grpc-server'
import { uuidv7 } from '@halles/kit/ids'
import { createTestDatabase, silentLogger } from '@halles/kit/testing'
import { startTokenAuthority } from '@halles/kit/testing-authority'
import Stripe from 'stripe'
import { type SandboxOptions, startSandbox } from '../../../stack/stripe-sandbox/src/app.ts'
import { createApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import type { JobTimes } from '../src/jobs.ts'

const internalSecret = 'an internal secret of more than 32 characters'
export const apiKey = 'sk_test_0123456789abcdef'
export const webhookSecret = 'whsec_0123456789abcdef'

// What a test knows of an answer's shape, it says where it looks.
type Body = { [member: string]: unknown }
type Settle = (request: ordersContract.SettlePaymentRequest) => ordersContract.Settlement

/** The whole service at its edges: the real sandbox on one side, orders that a test plays on the other. */
export async function startService(
  options: {
    sandbox?: Partial<SandboxOptions>
    env?: Record<string, string>
    times?: Partial<JobTimes>
  } = {},
) {
  const store = await createTestDatabase()
  const broker = await createTestDatabase()
  const authority = await startTokenAuthority([
    { role: 'operator', permissions: ['system:read', 'system:write'], version: 1 },
    { role: 'staff', permissions: ['orders:write'], version: 1 },
  ])
  const sandbox = await startSandbox({
    apiKey,
    webhookSecret,
    retryScheduleMs: Array(50).fill(50),
    ...options.sandbox,
  })
  const orders = playOrders()
  await orders.server.start()
  const config = readConfig({
    DATABASE_URL: store.url,
    MESSAGES_URL: broker.url,
    INTERNAL_SECRET: internalSecret,
    JWKS_URLS: authority.jwksUrl,
    RBAC_URLS: authority.url,
    STRIPE_API_KEY: apiKey,
    STRIPE_WEBHOOK_SECRET: `whsec_of_the_next_quarter,${webhookSecret}`,
    STRIPE_API_BASE: sandbox.url,
    ORDERS_GRPC: `127.0.0.1:${orders.server.port()}`,
    PUBLIC_URL: 'https://shop.example',
    LOG_LEVEL: 'silent',
    ...options.env,
  })
  const app = createApp(config, { times: options.times ?? {} })
  await app.start()
  const url = `http://127.0.0.1:${app.httpPort()}`
  sandbox.sendWebhooksTo(`${url}/api/v1/webhooks/stripe`)
  const client = createGrpcClient<contract.PaymentsServiceRpcs>({
    name: 'payments',
    definition: toServiceDefinition(contract.descriptor, contract.serviceName),
    addresses: [`127.0.0.1:${app.grpcPort()}`],
    internalSecret,
    defaultDeadlineMs: 15_000,
  })
  const stripe = new Stripe(apiKey, { host: sandbox.host, port: sandbox.port, protocol: 'http' })

  /** Calls the public API. */
  async function call(method: string, path: string, init: { as?: string; body?: object } = {}) {
    const response = await fetch(`${url}/api/v1/payments/${path}`, {
      method,
      headers: {
        ...(init.as === undefined ? {} : { authorization: init.as }),
        ...(init.body ? { 'content-type': 'application/json' } : {}),
      },
      ...(init.body ? { body: JSON.stringify(init.body) } : {}),
    })
    return { status: response.status, body: (await response.json()) as Body }
  }

  /** Sends a notification of our own making, rightly signed unless the headers say otherwise. */
  async function send(event: object, headers: Record<string, string> = {}) {
    const payload = JSON.stringify(event)
    const signature = stripe.webhooks.generateTestHeaderString({ payload, secret: webhookSecret })
    const response = await fetch(`${url}/api/v1/webhooks/stripe`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'stripe-signature': signature, ...headers },
      body: payload,
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  /** Calls what the sandbox has for tests. */
  async function inspect<T>(method: string, path: string, body?: object): Promise<T> {
    const response = await fetch(`${sandbox.url}/_sandbox/${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    assert.equal(response.status, 200, `${method} ${path}: ${text}`)
    return JSON.parse(text) as T
  }

  async function stop() {
    client.close()
    await app.stop()
    await sandbox.stop()
    await orders.server.stop()
    authority.close()
    await broker.drop()
    await store.drop()
  }

  const database = store.database
  return { sandbox, stripe, client, database, authority, ...orders, call, send, inspect, stop }
}

/** Orders that applies each newer state, and whose answer a test can replace. */
function playOrders() {
  const settled: ordersContract.SettlePaymentRequest[] = []
  const revisions = new Map<string, number>()
  const dead = new Set<string>()
  const play: { settle: Settle | undefined } = { settle: undefined }

  const settle: Settle = ({ orderId, state }) => {
    const isNews = state.revision > (revisions.get(orderId) ?? 0)
    if (isNews) revisions.set(orderId, state.revision)
    if (dead.has(orderId) && isMoneyThere(state)) return 'SETTLEMENT_REFUND_DUE'
    return isNews ? 'SETTLEMENT_APPLIED' : 'SETTLEMENT_DUPLICATE'
  }
  const { descriptor, serviceName } = ordersContract
  const definition = toServiceDefinition(descriptor, serviceName)
  const server = createGrpcServer({
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger(),
    internalSecret,
    services: [
      grpcService<ordersContract.OrdersServiceRpcs>(definition, {
        async settlePayment(request) {
          settled.push(request)
          return { settlement: (play.settle ?? settle)(request) }
        },
      }),
    ],
  })
  /** What the order was told last. */
  const toldOf = (orderId: string) => settled.findLast((told) => told.orderId === orderId)?.state
  return { server, settled, dead, play, toldOf }
}

function isMoneyThere(state: contract.PaymentState): boolean {
  if (state.phase === 'PAYMENT_PHASE_AUTHORIZED') return true
  const returned = state.refunds.filter(({ phase }) => phase !== 'REFUND_PHASE_FAILED')
  return state.capturedMinor > returned.reduce((sum, { amountMinor }) => sum + amountMinor, 0)
}

export function aRequest(
  changes: Partial<contract.CreatePaymentRequest> = {},
): contract.CreatePaymentRequest {
  return {
    orderId: uuidv7(),
    email: 'ada@example.org',
    lines: [{ title: 'Lamp (Brass)', quantity: 2, unitAmountMinor: 1_250 }],
    amountMinor: 2_500,
    currency: 'GBP',
    expiresAtSeconds: Math.floor(Date.now() / 1_000) + 35 * 60,
    method: 'PAYMENT_METHOD_ONLINE',
    ...changes,
  }
}

export const card = { number: '4242424242424242', expiry: '12/40', cvc: '123' }
export const debit = { method: 'bacs_debit', sort_code: '108800', account: '00012345' }

/** Fills in the provider's page. */
export async function payAt(url: string, fields: Record<string, string> = card) {
  const body = new URLSearchParams(fields)
  const response = await fetch(url, { method: 'POST', body, redirect: 'manual' })
  await response.body?.cancel()
  return response.status
}
