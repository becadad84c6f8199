import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { descriptor, type OrdersServiceRpcs, serviceName } from '@halles/contracts/gen/grpc/orders'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { createGrpcClient, type GrpcClient } from '@halles/kit/grpc-client'
import { uuidv7 } from '@halles/kit/ids'
import type { Message } from '@halles/kit/messaging'
import { createPostgresMessaging } from '@halles/kit/messaging/postgres'
import {
  createTestDatabase,
  eventually,
  silentLogger,
  type TestDatabase,
} from '@halles/kit/testing'
import { startTokenAuthority } from '@halles/kit/testing-authority'
import { createApp, type OrdersApp } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { address, gbp } from './fixtures.ts'
import { internalSecret, startNeighbours } from './neighbours.ts'

type Body = Record<string, unknown> & { id: string }
type Answer = { status: number; headers: Headers; body: Body }

describe('orders', () => {
  let store: TestDatabase
  let broker: TestDatabase
  let authority: Awaited<ReturnType<typeof startTokenAuthority>>
  let neighbours: Awaited<ReturnType<typeof startNeighbours>>
  let app: OrdersApp
  let grpc: GrpcClient<OrdersServiceRpcs>
  let messaging: ReturnType<typeof createPostgresMessaging>
  const events: Message<Record<string, unknown>>[] = []

  before(async () => {
    store = await createTestDatabase()
    broker = await createTestDatabase()
    authority = await startTokenAuthority([
      { role: 'staff', permissions: ['orders:read', 'orders:write'], version: 1 },
    ])
    neighbours = await startNeighbours()
    app = createApp(
      readConfig({
        DATABASE_URL: store.url,
        MESSAGES_URL: broker.url,
        INTERNAL_SECRET: internalSecret,
        ORDER_TOKEN_SECRET: 'an order token secret of more than 32 characters',
        JWKS_URLS: authority.jwksUrl,
        RBAC_URLS: authority.url,
        CARTS_GRPC: neighbours.address,
        PRODUCTS_GRPC: neighbours.address,
        PAYMENTS_GRPC: neighbours.address,
        LOG_LEVEL: 'silent',
      }),
    )
    await app.start()
    grpc = createGrpcClient<OrdersServiceRpcs>({
      name: 'orders',
      definition: toServiceDefinition(descriptor, serviceName),
      addresses: [`127.0.0.1:${app.grpcPort()}`],
      internalSecret,
      defaultDeadlineMs: 5_000,
    })
    messaging = createPostgresMessaging({
      url: broker.url,
      service: 'test',
      instance: 'test',
      logger: silentLogger(),
    })
    messaging.subscribeTopic({
      topic: 'orders.events.v1',
      from: 'start',
      handler: async ({ message }) => {
        events.push(message as Message<Record<string, unknown>>)
      },
    })
    await messaging.start()
  })

  after(async () => {
    grpc.close()
    await messaging.stop()
    await app.stop()
    await neighbours.stop()
    authority.close()
    await broker.drop()
    await store.drop()
  })

  async function call(
    method: string,
    path: string,
    options: { as?: string; key?: string; body?: unknown } = {},
  ): Promise<Answer> {
    const { as, key, body } = options
    const response = await fetch(`http://127.0.0.1:${app.httpPort()}/api/v1/orders${path}`, {
      method,
      headers: {
        ...(as && { authorization: as }),
        ...(key && { 'idempotency-key': key }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Body,
    }
  }

  const wish = (cartId: string, changes = {}) => ({
    cartId,
    email: 'ada@example.org',
    shippingAddress: address,
    expectedTotal: gbp(2_500),
    ...changes,
  })
  const place = (body: unknown, options: { as?: string; key?: string } = {}) =>
    call('POST', '', { key: uuidv7(), ...options, body })

  test('a guest places an order, sees it with its token alone, pays and sees it paid', async () => {
    const { cartId } = neighbours.addCart()
    const key = uuidv7()
    const placed = await place(wish(cartId), { key })
    assert.equal(placed.status, 201)
    assert.equal(placed.body.status, 'pending_payment')
    assert.deepEqual(placed.body.total, gbp(2_500))
    assert.equal(placed.headers.get('etag'), '"1"')
    assert.deepEqual((await place(wish(cartId), { key })).body, placed.body)
    const session = neighbours.sessions.get(placed.body.id)
    assert.ok(session)
    assert.equal(session.amountMinor, 2_500)
    assert.ok(session.expiresAtSeconds * 1_000 > Date.now() + 30 * 60_000)
    assert.deepEqual(placed.body.payment, {
      status: 'pending',
      redirectUrl: `https://pay.example/${session.paymentId}`,
    })
    const token = `Bearer ${placed.body.accessToken}`
    assert.equal((await call('GET', `/${placed.body.id}`, { as: token })).status, 200)
    const other = await place(wish(neighbours.addCart().cartId))
    assert.equal((await call('GET', `/${other.body.id}`, { as: token })).status, 404)
    assert.equal((await call('GET', '', { as: token })).status, 403)
    const settled = await grpc.settlePayment({
      orderId: placed.body.id,
      paymentId: session.paymentId,
      providerEventId: 'evt_1',
      outcome: 'PAYMENT_OUTCOME_PAID',
      amountMinor: 2_500,
      currency: 'GBP',
    })
    assert.equal(settled.settlement, 'SETTLEMENT_APPLIED')
    const paid = await call('GET', `/${placed.body.id}`, { as: token })
    assert.equal(paid.body.status, 'paid')
    assert.deepEqual(paid.body.payment, { status: 'paid', redirectUrl: null })
    await eventually(() => events.filter(({ subject }) => subject === placed.body.id).length === 2)
    assert.deepEqual(
      events.filter(({ subject }) => subject === placed.body.id).map(({ data }) => data.status),
      ['pending_payment', 'paid'],
    )
  })

  test('a customer needs no e-mail, lists own orders only, and staff list and cancel everybody’s', async () => {
    const customer = uuidv7()
    const as = authority.bearer(customer)
    const { cartId } = neighbours.addCart(customer)
    const { email: _email, ...body } = wish(cartId)
    const placed = await place(body, { as })
    assert.equal(placed.status, 201)
    assert.equal(placed.body.email, null)
    assert.equal(placed.body.accessToken, undefined)
    const listed = await call('GET', '', { as })
    assert.deepEqual(
      (listed.body.items as Body[]).map(({ id }) => id),
      [placed.body.id],
    )
    const stranger = authority.bearer(uuidv7())
    assert.equal((await call('GET', `/${placed.body.id}`, { as: stranger })).status, 404)
    const denied = await call('POST', `/${placed.body.id}/cancellation`, { as: stranger, body: {} })
    assert.equal(denied.status, 404)
    assert.equal((await call('GET', '?all=true', { as })).body.code, 'FORBIDDEN')
    const staff = authority.bearer(uuidv7(), ['staff'])
    const all = await call('GET', '?all=true&limit=1', { as: staff })
    assert.equal((all.body.items as Body[])[0]?.id, placed.body.id)
    const next = await call('GET', `?all=true&limit=1&cursor=${all.body.nextCursor}`, { as: staff })
    assert.notEqual((next.body.items as Body[])[0]?.id, placed.body.id)
    const cancelled = await call('POST', `/${placed.body.id}/cancellation`, { as: staff, body: {} })
    assert.equal(cancelled.body.status, 'cancelled')
    assert.ok(neighbours.cancelled.includes(placed.body.id))
  })

  test('what cannot be used is refused with a problem that names it', async () => {
    const { cartId, variantId } = neighbours.addCart()
    const heldBefore = neighbours.reservations.size
    const { email: _email, ...anonymous } = wish(cartId)
    const noEmail = await place(anonymous)
    assert.equal(noEmail.status, 400)
    assert.equal((noEmail.body.errors as { pointer: string }[])[0]?.pointer, '/body/email')
    assert.equal((await call('POST', '', { body: wish(cartId) })).status, 400)
    const lost = await place(wish(uuidv7()))
    assert.equal(lost.body.code, 'CART_NOT_FOUND')
    assert.equal((lost.body.errors as { pointer: string }[])[0]?.pointer, '/body/cartId')
    const currency = { amountMinor: 2_500, currency: 'EUR' }
    const foreign = await place(wish(cartId, { expectedTotal: currency }))
    assert.equal(foreign.status, 422)
    assert.equal(foreign.body.code, 'CURRENCY_MISMATCH')
    const stale = await place(wish(cartId, { expectedTotal: gbp(2_400) }))
    assert.equal(stale.status, 409)
    assert.deepEqual(stale.body.actualTotal, gbp(2_500))
    assert.equal(neighbours.reservations.size, heldBefore)
    neighbours.setStock(variantId, 1)
    const short = await place(wish(cartId))
    assert.equal(short.body.code, 'OUT_OF_STOCK')
    assert.deepEqual(short.body.lines, [{ variantId, requested: 2, available: 1 }])
    neighbours.emptyCart(cartId)
    assert.equal((await place(wish(cartId))).body.code, 'CART_EMPTY')
    const bad = await call('GET', '?cursor=abc', { as: authority.bearer(uuidv7()) })
    assert.equal((bad.body.errors as { pointer: string }[])[0]?.pointer, '/query/cursor')
    assert.equal((await call('GET', `/${uuidv7()}`)).status, 401)
  })

  test('while payments is down the checkout answers 503, and works with the same key afterwards', async () => {
    const { cartId } = neighbours.addCart()
    const key = uuidv7()
    neighbours.setPaymentsDown(true)
    const refused = await place(wish(cartId), { key })
    neighbours.setPaymentsDown(false)
    assert.equal(refused.status, 503)
    assert.equal(refused.body.code, 'CHECKOUT_UNAVAILABLE')
    assert.equal(refused.body.service, 'payments')
    assert.ok(refused.headers.get('retry-after'))
    assert.equal((await place(wish(cartId), { key })).status, 201)
  })
})
