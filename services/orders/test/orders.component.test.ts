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
import { internalSecret, startNeighbours, toMessage } from './neighbours.ts'

type Body = Record<string, unknown> & { id: string }
type Money = { amountMinor: number }
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
      { role: 'operator', permissions: ['system:read'], version: 1 },
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
  const tell = (orderId: string, cause = 'event:evt_1') =>
    grpc.settlePayment({ orderId, cause, state: toMessage(neighbours.money.find(orderId)) })
  const pay = (orderId: string) => {
    neighbours.money.pay(orderId)
    return tell(orderId)
  }
  const staff = () => authority.bearer(staffId, ['staff'])
  const staffId = uuidv7()
  /** A paid order of two lamps, by a guest. */
  async function aPaidOrder() {
    const { cartId, variantId } = neighbours.addCart()
    const { body } = await place(wish(cartId))
    await pay(body.id)
    return { orderId: body.id, variantId, guest: `Bearer ${body.accessToken}` }
  }
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
      method: 'online',
      status: 'pending',
      captured: gbp(0),
      refunded: gbp(0),
      dispute: null,
      redirectUrl: `https://pay.example/${neighbours.money.find(placed.body.id).paymentId}`,
    })
    assert.deepEqual(placed.body.totals, {
      subtotal: gbp(2_500),
      shipping: gbp(0),
      taxIncluded: gbp(417),
      total: gbp(2_500),
    })
    const token = `Bearer ${placed.body.accessToken}`
    assert.equal((await call('GET', `/${placed.body.id}`, { as: token })).status, 200)
    const other = await place(wish(neighbours.addCart().cartId))
    assert.equal((await call('GET', `/${other.body.id}`, { as: token })).status, 404)
    assert.equal((await call('GET', '', { as: token })).status, 403)
    const settled = await pay(placed.body.id)
    assert.equal(settled.settlement, 'SETTLEMENT_APPLIED')
    const paid = await call('GET', `/${placed.body.id}`, { as: token })
    assert.equal(paid.body.status, 'paid')
    assert.deepEqual(paid.body.payment, {
      method: 'online',
      status: 'paid',
      captured: gbp(2_500),
      refunded: gbp(0),
      dispute: null,
      redirectUrl: null,
    })
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

  test('staff fulfil, record the delivery and refund by line; the shopper follows it', async () => {
    const { orderId, variantId, guest } = await aPaidOrder()
    const post = (path: string, body: unknown, key = uuidv7()) =>
      call('POST', `/${orderId}${path}`, { as: staff(), key, body })
    const lines = [{ variantId, quantity: 1 }]
    const key = uuidv7()
    const sent = await post('/fulfilments', { lines, carrier: 'DHL', trackingNumber: '42' }, key)
    assert.equal(sent.status, 201)
    assert.equal(sent.body.status, 'partly_fulfilled')
    const again = await post('/fulfilments', { lines, carrier: 'DHL', trackingNumber: '42' }, key)
    assert.deepEqual(again.body, sent.body)
    assert.equal((await post('/fulfilments', { lines }, key)).body.code, 'IDEMPOTENCY_KEY_REUSED')
    const tooMany = await post('/fulfilments', { lines: [{ variantId, quantity: 2 }] })
    assert.deepEqual([tooMany.status, tooMany.body.code], [409, 'FULFILMENT_TOO_LARGE'])
    assert.deepEqual(tooMany.body.lines, [{ variantId, requested: 2, unsent: 1 }])
    const [parcel] = sent.body.fulfilments as Body[]
    const arrived = await call('POST', `/${orderId}/fulfilments/${parcel?.id}/delivery`, {
      as: staff(),
    })
    assert.equal(arrived.status, 200)
    const lost = await call('POST', `/${orderId}/fulfilments/${uuidv7()}/delivery`, { as: staff() })
    assert.deepEqual([lost.status, lost.body.code], [404, 'FULFILMENT_NOT_FOUND'])
    const refunded = await post('/refunds', { lines, isReturned: true, reason: 'Broken.' })
    assert.equal(refunded.status, 201)
    assert.equal(refunded.body.status, 'delivered')
    const { payment, lines: shown } = refunded.body as unknown as {
      payment: { status: string; refunded: object }
      lines: { fulfilledQuantity: number; refundedQuantity: number }[]
    }
    assert.deepEqual([payment.status, payment.refunded], ['partly_refunded', gbp(1_250)])
    assert.deepEqual([shown[0]?.fulfilledQuantity, shown[0]?.refundedQuantity], [1, 1])
    const tooMuch = await post('/refunds', { amount: gbp(1_251) })
    assert.deepEqual([tooMuch.status, tooMuch.body.code], [409, 'REFUND_TOO_LARGE'])
    assert.deepEqual(tooMuch.body.refundable, gbp(1_250))
    const denied = await call('POST', `/${orderId}/refunds`, {
      as: authority.bearer(uuidv7()),
      key: uuidv7(),
      body: { lines },
    })
    assert.equal(denied.status, 403)
    const cancelled = await call('POST', `/${orderId}/cancellation`, { as: guest, body: {} })
    assert.deepEqual([cancelled.status, cancelled.body.code], [409, 'ORDER_NOT_CANCELLABLE'])
    await eventually(() =>
      events.some(({ subject, type, data }) => {
        const isIt = subject === orderId && type === 'halles.orders.order-refunded.v1'
        return isIt && (data.returned as object[]).length === 1
      }),
    )
  })

  test('the time-line tells who did what, when and why; the staff’s names stay with the staff', async () => {
    const { orderId, variantId, guest } = await aPaidOrder()
    const lines = [{ variantId, quantity: 2 }]
    await call('POST', `/${orderId}/fulfilments`, {
      as: staff(),
      key: 'parcel-one',
      body: { lines },
    })
    type Shown = { what: string; actor: { kind: string; subjectId: string | null }; cause: string }
    const read = async (as: string) =>
      (await call('GET', `/${orderId}/timeline`, { as })).body.items as unknown as Shown[]
    const told = (await read(staff())).map(({ what, actor, cause }) => [
      what,
      actor.kind,
      actor.subjectId,
      cause.split(':')[0],
    ])
    assert.deepEqual(told, [
      ['placed', 'shopper', null, 'key'],
      ['paid', 'provider', null, 'event'],
      ['fulfilled', 'staff', staffId, 'key'],
    ])
    const seen = await read(guest)
    assert.deepEqual(
      seen.map(({ actor }) => actor.subjectId),
      [null, null, null],
    )
    assert.doesNotMatch(JSON.stringify(seen), /\bAda\b|Lovelace|Square/)
    const stranger = await call('GET', `/${orderId}/timeline`, { as: authority.bearer(uuidv7()) })
    assert.equal(stranger.status, 404)
  })

  test('fifty identical refunds at once are one; a cancellation and the webhook at once agree', async () => {
    const { orderId } = await aPaidOrder()
    const key = uuidv7()
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        call('POST', `/${orderId}/refunds`, { as: staff(), key, body: { amount: gbp(300) } }),
      ),
    )
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201])
    assert.equal(neighbours.money.keptMinor(orderId), 2_200)
    for (let round = 0; round < 5; round += 1) {
      const { cartId } = neighbours.addCart()
      const { body } = await place(wish(cartId))
      const as = `Bearer ${body.accessToken}`
      const [cancelled, told] = await Promise.all([
        call('POST', `/${body.id}/cancellation`, { as, body: {} }),
        pay(body.id),
      ])
      assert.equal(cancelled.body.status, 'cancelled')
      if (told.settlement === 'SETTLEMENT_REFUND_DUE') {
        neighbours.money.returnAll(body.id)
        await tell(body.id)
      }
      const end = await call('GET', `/${body.id}`, { as })
      assert.equal(end.body.status, 'cancelled')
      assert.equal(neighbours.money.keptMinor(body.id), 0)
    }
  })

  test('what the provider did by itself, in any order, is shown on the order', async () => {
    const { orderId, guest } = await aPaidOrder()
    const { money } = neighbours
    const dispute = { id: 'du_1', amountMinor: 2_500, phase: 'open' as const }
    const disputed = toMessage(money.change(orderId, { disputes: [dispute] }))
    money.change(orderId, { disputes: [{ ...dispute, phase: 'won' }] })
    money.returnAll(orderId)
    assert.equal((await tell(orderId)).settlement, 'SETTLEMENT_APPLIED')
    const late = await grpc.settlePayment({ orderId, cause: 'event:evt_0', state: disputed })
    assert.equal(late.settlement, 'SETTLEMENT_DUPLICATE')
    const { body } = await call('GET', `/${orderId}`, { as: guest })
    assert.equal(body.status, 'refunded')
    const { dispute: shown, status } = body.payment as { dispute: string; status: string }
    assert.deepEqual([shown, status], ['won', 'refunded'])
    const other = { ...disputed, amountMinor: 1 }
    await assert.rejects(grpc.settlePayment({ orderId, cause: '', state: other }), {
      code: 'PAYMENT_MISMATCH',
    })
    const none = { ...disputed, phase: 'PAYMENT_PHASE_UNSPECIFIED' as const }
    await assert.rejects(grpc.settlePayment({ orderId, cause: '', state: none }), {
      code: 'INVALID_REQUEST',
    })
  })

  test('a cart is quoted before it is ordered, and the shopper who comes back sees the payment', async () => {
    const { cartId } = neighbours.addCart()
    const quoted = await call('POST', '/quote', { body: { cartId, country: 'GB' } })
    assert.deepEqual([quoted.status, quoted.body.taxIncluded], [200, gbp(417)])
    const { body } = await place(wish(cartId))
    const as = `Bearer ${body.accessToken}`
    const check = () => call('POST', `/${body.id}/payment-check`, { as })
    assert.equal((await check()).body.status, 'pending_payment')
    neighbours.money.pay(body.id)
    neighbours.setPaymentsDown(true)
    const unknown = await check()
    neighbours.setPaymentsDown(false)
    assert.deepEqual([unknown.status, unknown.body.code], [503, 'PAYMENTS_UNAVAILABLE'])
    assert.equal((await check()).body.status, 'paid')
    const operator = authority.bearer(uuidv7(), ['operator'])
    const stuck = await call('GET', '/unfinished', { as: operator })
    assert.deepEqual([stuck.status, stuck.body.items], [200, []])
  })

  test('a bank transfer is paid when staff record the money', async () => {
    const { cartId } = neighbours.addCart()
    const { body } = await place(wish(cartId, { paymentMethod: 'bank_transfer' }))
    const session = neighbours.sessions.get(body.id)
    assert.equal(session?.method, 'PAYMENT_METHOD_BANK_TRANSFER')
    assert.ok(session.expiresAtSeconds * 1_000 > Date.now() + 6 * 86_400_000)
    const record = (amountMinor: number) =>
      call('POST', `/${body.id}/receipts`, {
        as: staff(),
        body: { amount: gbp(amountMinor), reference: 'SEPA 1' },
      })
    assert.equal((await record(1)).body.code, 'RECEIPT_MISMATCH')
    const paid = await record(2_500)
    assert.deepEqual([paid.status, paid.body.status], [200, 'paid'])
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

  test('staff find orders by id, e-mail, time and total, and see what a day was like', async () => {
    const from = new Date().toISOString()
    const email = `${uuidv7()}@example.org`
    const { cartId } = neighbours.addCart()
    const { id } = (await place(wish(cartId, { email: email.toUpperCase() }))).body
    await pay(id)
    const { orderId: other } = await aPaidOrder()
    const to = new Date(Date.now() + 60_000).toISOString()
    const find = async (query: string) => {
      const { status, body } = await call('GET', `?all=true&${query}`, { as: staff() })
      assert.equal(status, 200)
      return (body.items as Body[]).map((item) => item.id)
    }
    for (const q of [id, id.toUpperCase(), id.slice(0, 30), id.slice(-8), email.slice(0, 30)]) {
      const found = await find(`q=${encodeURIComponent(q)}`)
      assert.ok(found.includes(id), q)
    }
    assert.deepEqual(await find(`q=${id.slice(-10)}`), [id])
    assert.deepEqual(await find('q=100%25'), [])
    assert.deepEqual(await find(`from=${from}&to=${to}`), [id, other].sort().reverse())
    assert.deepEqual(await find(`to=${from}&q=${id}`), [])
    assert.deepEqual(await find(`q=${id}&minTotal=2501`), [])
    assert.deepEqual(await find(`q=${id}&minTotal=2500&status=paid`), [id])
    assert.deepEqual(await find(`customerId=${uuidv7()}`), [])

    await call('POST', `/${id}/refunds`, {
      as: staff(),
      key: uuidv7(),
      body: { amount: gbp(400) },
    })
    const summary = await call('GET', `/summary?from=${from}&to=${to}`, { as: staff() })
    assert.equal(summary.status, 200)
    const days = summary.body.days as { orders: number; revenue: Money; refunded: Money }[]
    const sum = (amounts: number[]) => amounts.reduce((total, amount) => total + amount, 0)
    assert.equal(sum(days.map(({ orders }) => orders)), 2)
    assert.equal(sum(days.map(({ revenue }) => revenue.amountMinor)), 5_000)
    const refunds = summary.body.refunds as { status: string; refunds: number }[]
    assert.equal(sum(refunds.map((each) => each.refunds)), 1)
    assert.deepEqual(summary.body.statuses, [{ status: 'paid', orders: 2 }])
    assert.equal(typeof summary.body.unpaid, 'number')
    assert.equal((await call('GET', `/summary?from=${from}&to=${to}`)).status, 401)
    for (const [query, pointer] of [
      [`from=${from}`, '/query/to'],
      [`from=${to}&to=${from}`, '/query/to'],
      [`from=2026-01-01T00:00:00Z&to=2026-04-04T00:00:00Z`, '/query/to'],
    ]) {
      const refused = await call('GET', `/summary?${query}`, { as: staff() })
      assert.deepEqual(
        [refused.status, (refused.body.errors as { pointer: string }[])[0]?.pointer],
        [400, pointer],
      )
    }
  })
})
