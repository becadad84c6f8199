import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  descriptor,
  type ProductsServiceRpcs,
  serviceName,
} from '@halles/contracts/gen/grpc/products'
import type { Import, Product, ProductPage, Stock } from '@halles/contracts/gen/http/products'
import { orderCancelled, orderPaid, orderRefunded } from '@halles/contracts/gen/messages/orders'
import { address as productEvents } from '@halles/contracts/gen/messages/products'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { createMessage } from '@halles/contracts/message'
import { loadConfig } from '@halles/kit/config'
import { createGrpcClient, type GrpcClient } from '@halles/kit/grpc-client'
import { uuidv7 } from '@halles/kit/ids'
import type { Message, Messaging } from '@halles/kit/messaging'
import { createPostgresMessaging } from '@halles/kit/messaging/postgres'
import {
  createTestDatabase,
  eventually,
  silentLogger,
  type TestDatabase,
} from '@halles/kit/testing'
import { startTokenAuthority, type TokenAuthority } from '@halles/kit/testing-authority'
import { createApp, type ProductsApp } from '../src/app.ts'
import { schema } from '../src/config.ts'
import { aNewProduct, euros, unique } from './fixtures.ts'

const internalSecret = 'x'.repeat(32)
let own: TestDatabase
let broker: TestDatabase
let authority: TokenAuthority
let app: ProductsApp
let messaging: Messaging
let grpc: GrpcClient<ProductsServiceRpcs>
let editor: string
const received: Message<{ productId: string; version: number }>[] = []

before(async () => {
  own = await createTestDatabase()
  broker = await createTestDatabase()
  authority = await startTokenAuthority([
    { role: 'editor', permissions: ['products:write'], version: 1 },
  ])
  editor = authority.bearer(uuidv7(), ['editor'])
  const config = loadConfig(schema, {
    DATABASE_URL: own.url,
    MESSAGES_URL: broker.url,
    INTERNAL_SECRET: internalSecret,
    JWKS_URLS: authority.jwksUrl,
    RBAC_URLS: authority.url,
    DEMO_CATALOGUE: 'true',
    LOG_LEVEL: 'silent',
  })
  app = createApp(config, { times: { expiryMs: 20, importMs: 20 } })
  await app.start()
  messaging = createPostgresMessaging({
    url: broker.url,
    service: 'test',
    instance: 'test',
    logger: silentLogger(),
  })
  messaging.subscribeTopic({
    topic: productEvents.name,
    group: 'test',
    from: 'start',
    handler: async ({ message }) => {
      received.push(message as (typeof received)[number])
    },
  })
  await messaging.start()
  grpc = createGrpcClient<ProductsServiceRpcs>({
    name: 'products',
    definition: toServiceDefinition(descriptor, serviceName),
    addresses: [`127.0.0.1:${app.grpcPort()}`],
    internalSecret,
    defaultDeadlineMs: 5_000,
  })
})

after(async () => {
  grpc?.close()
  await messaging?.stop()
  await app?.stop()
  authority?.close()
  await own?.drop()
  await broker?.drop()
})

type Answer<Body> = { status: number; headers: Headers; body: Body }
type Problem = { code: string; errors?: { pointer: string }[] }

async function call<Body>(
  method: string,
  path: string,
  options: { body?: unknown; csv?: string; headers?: Record<string, string> } = {},
): Promise<Answer<Body>> {
  const { body, csv, headers = {} } = options
  const type = csv === undefined ? 'application/json' : 'text/csv'
  const content = csv ?? (body === undefined ? undefined : JSON.stringify(body))
  const answer = await fetch(`http://127.0.0.1:${app.httpPort()}/api/v1${path}`, {
    method,
    headers: { ...(content === undefined ? {} : { 'content-type': type }), ...headers },
    ...(content === undefined ? {} : { body: content }),
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, body: text && JSON.parse(text) }
}

const edit = <Body>(method: string, path: string, body?: unknown, headers = {}) =>
  call<Body>(method, path, { body, headers: { authorization: editor, ...headers } })

async function create(input = {}): Promise<Product> {
  const { status, body } = await edit<Product>('POST', '/products', aNewProduct(input))
  assert.equal(status, 201)
  return body
}

function pointersOf(answer: Answer<unknown>): string[] {
  return ((answer.body as Problem).errors ?? []).map(({ pointer }) => pointer)
}

test('the demo catalogue is listed with what a cart needs, and tagged for caches', async () => {
  const { status, headers, body } = await call<ProductPage>('GET', '/products?limit=5&sort=title')
  assert.equal(status, 200)
  assert.equal(body.items.length, 5)
  const [first] = body.items
  assert.ok(first?.variants[0]?.price.currency === 'EUR' && first.priceFrom.amountMinor > 0)
  const ids = body.items.map(({ id }) => `product:${id}`).join(' ')
  assert.equal(headers.get('cache-tag'), `products ${ids}`)
  const next = await call<ProductPage>(
    'GET',
    `/products?limit=5&sort=title&cursor=${body.nextCursor}`,
  )
  assert.ok(!next.body.items.some(({ id }) => body.items.some((known) => known.id === id)))
})

test('a cursor of another sort is refused and named', async () => {
  const { body } = await call<ProductPage>('GET', '/products?limit=5&sort=title')
  const answer = await call<Problem>('GET', `/products?sort=price&cursor=${body.nextCursor}`)
  assert.deepEqual([answer.status, answer.body.code], [400, 'INVALID_CURSOR'])
  assert.deepEqual(pointersOf(answer), ['/query/cursor'])
})

test('a product is read by id and by slug with its ETag', async () => {
  const product = await create()
  for (const key of [product.id, product.slug]) {
    const { status, headers, body } = await call<Product>('GET', `/products/${key}`)
    assert.deepEqual([status, headers.get('etag'), body], [200, '"1"', product])
    assert.match(headers.get('cache-tag') ?? '', new RegExp(`product:${product.id}`))
  }
  const headers = { 'if-none-match': '"1"' }
  assert.equal((await call('GET', `/products/${product.id}`, { headers })).status, 304)
  const missing = await call<Problem>('GET', '/products/no-such-thing')
  assert.deepEqual([missing.status, missing.body.code], [404, 'PRODUCT_NOT_FOUND'])
})

test('only who may write products can edit them', async () => {
  const body = aNewProduct()
  assert.equal((await call('POST', '/products', { body })).status, 401)
  const headers = { authorization: authority.bearer(uuidv7(), ['customer']) }
  assert.equal((await call('POST', '/products', { body, headers })).status, 403)
})

test('bad input names its fields', async () => {
  const variants = [{ sku: 'A', price: { amountMinor: -1, currency: 'EUR' } }]
  const answer = await edit('POST', '/products', { title: 'x', variants, colour: 'red' })
  assert.equal(answer.status, 400)
  assert.deepEqual(pointersOf(answer).toSorted(), [
    '/body/colour',
    '/body/variants/0/price/amountMinor',
  ])
})

test('an edit is guarded by If-Match and seen by the next reader and every subscriber', async () => {
  const product = await create()
  const variantId = product.variants[0]?.id
  const path = `/variants/${variantId?.toUpperCase()}/price`
  const priced = await edit<Product>('PUT', path, euros(777), { 'if-match': '"1"' })
  assert.deepEqual([priced.status, priced.headers.get('etag')], [200, '"2"'])
  const stale = await edit<Problem>('PUT', path, euros(1), { 'if-match': '"1"' })
  assert.deepEqual([stale.status, stale.body.code], [412, 'VERSION_MISMATCH'])
  const foreign = await edit<Problem>('PUT', path, { amountMinor: 1, currency: 'GBP' })
  assert.deepEqual([foreign.status, foreign.body.code], [422, 'CURRENCY_MISMATCH'])
  assert.deepEqual(pointersOf(foreign), ['/body/currency'])
  const patched = await edit<Product>('PATCH', `/products/${product.id}`, { title: 'New' })
  assert.deepEqual([patched.body.title, patched.body.version], ['New', 3])
  assert.equal((await edit('DELETE', `/products/${product.id}`)).status, 204)
  assert.equal((await edit('DELETE', `/products/${product.id}`)).status, 404)
  await eventually(() => {
    const versions = received
      .filter(({ data }) => data.productId === product.id)
      .map(({ type, data }) => [type.split('.')[2], data.version])
    assert.deepEqual(versions, [
      ['product-changed', 1],
      ['price-changed', 2],
      ['product-changed', 3],
      ['product-removed', 4],
    ])
  })
})

const orderState = (orderId: string, product: Product, quantity: number) => ({
  orderId,
  version: 2,
  cartId: uuidv7(),
  customerId: null,
  status: 'paid' as const,
  total: euros(1_000),
  lines: [
    {
      variantId: product.variants[0]?.id ?? '',
      productId: product.id,
      quantity,
      unitPrice: euros(1_000),
    },
  ],
})

test('an order reserves by gRPC; what is paid leaves the stock, what is cancelled is free', async () => {
  const product = await create({ variants: [{ sku: unique('SKU'), price: euros(5), quantity: 9 }] })
  const variantId = product.variants[0]?.id ?? ''
  const path = `/variants/${variantId}/stock`
  const [paid, cancelled] = [uuidv7(), uuidv7()]
  for (const reservationId of [paid, cancelled]) {
    const lines = [{ variantId, quantity: 2 }]
    const answer = await grpc.reserveStock({ reservationId, lines, ttlSeconds: 600 })
    assert.deepEqual([answer.lines[0]?.unitAmountMinor, answer.lines[0]?.currency], [5, 'EUR'])
  }
  const held = await edit<Stock>('GET', path)
  assert.deepEqual(
    [held.body.quantity, held.body.reserved, held.body.available, held.body.version],
    [9, 4, 5, 2],
  )
  const below = await edit<Problem>('PUT', path, { quantity: 3 })
  assert.deepEqual([below.status, below.body.code], [409, 'STOCK_BELOW_RESERVED'])
  const stamp = () => ({ id: uuidv7(), at: new Date() })
  await messaging.publisher.publish([
    createMessage(orderPaid, orderState(paid, product, 2), stamp()),
    createMessage(orderCancelled, orderState(cancelled, product, 2), stamp()),
  ])
  await eventually(async () => {
    const { body } = await edit<Stock>('GET', path)
    assert.deepEqual([body.quantity, body.reserved, body.available], [7, 0, 7])
  })
  const refund = {
    orderId: paid,
    version: 4,
    status: 'paid' as const,
    refundId: null,
    amount: euros(5),
    total: euros(10),
    returned: [{ variantId, quantity: 1 }],
  }
  const message = createMessage(orderRefunded, refund, stamp())
  const later = createMessage(orderRefunded, { ...refund, returned: [] }, stamp())
  await messaging.publisher.publish([message, message, later])
  await eventually(async () => {
    const { body } = await edit<Stock>('GET', path)
    assert.deepEqual([body.quantity, body.reserved, body.available], [8, 0, 8])
  })
  const stocked = await edit<Stock>('PUT', path, { quantity: 0 })
  assert.deepEqual([stocked.status, stocked.body.available], [200, 0])
})

test('a reservation that cannot be made says why, and an expired one frees itself', async () => {
  const product = await create({ variants: [{ sku: unique('SKU'), price: euros(5), quantity: 2 }] })
  const variantId = product.variants[0]?.id ?? ''
  const reserve = (quantity: number, ttlSeconds: number) =>
    grpc.reserveStock({ reservationId: uuidv7(), lines: [{ variantId, quantity }], ttlSeconds })
  await assert.rejects(reserve(3, 60), {
    code: 'OUT_OF_STOCK',
    details: { lines: [{ variantId, requested: 3, available: 2 }] },
  })
  await assert.rejects(reserve(0, 60), { code: 'INVALID_REQUEST' })
  await reserve(2, 1)
  await eventually(async () => {
    const { body } = await edit<Stock>('GET', `/variants/${variantId}/stock`)
    assert.equal(body.reserved, 0)
  })
})

test('of two who count the same stock, the second is told that it moved', async () => {
  const product = await create({ variants: [{ sku: unique('SKU'), price: euros(5), quantity: 9 }] })
  const path = `/variants/${product.variants[0]?.id}/stock`
  const { headers } = await edit<Stock>('GET', path)
  const seen = { 'if-match': headers.get('etag') ?? '' }
  const first = await edit<Stock>('PUT', path, { quantity: 8 }, seen)
  assert.deepEqual([first.status, first.body.quantity], [200, 8])
  const second = await edit<Problem>('PUT', path, { quantity: 10 }, seen)
  assert.deepEqual([second.status, second.body.code], [412, 'STOCK_MOVED'])
  assert.equal((await edit<Stock>('GET', path)).body.quantity, 8)
})

test('a file is imported in the background and reports what became of it', async () => {
  const mark = unique('row')
  const csv = `Handle,Title,Variant Price\n${mark},Imported,4.20\n${mark}-b,,1\n`
  const headers = { authorization: editor }
  const started = await call<Import>('POST', '/products/imports?quantity=7', { csv, headers })
  assert.deepEqual([started.status, started.body.status], [202, 'running'])
  const finished = await eventually(async () => {
    const { body } = await call<Import>('GET', `/products/imports/${started.body.id}`, { headers })
    return body.status === 'finished' && body
  })
  assert.ok(finished)
  assert.deepEqual([finished.created, finished.rejectedTotal], [1, 1])
  assert.equal(finished.rejected[0]?.line, 3)
  const { body } = await call<Product>('GET', `/products/${mark}`)
  assert.deepEqual([body.title, body.variants[0]?.price], ['Imported', euros(420)])
})
