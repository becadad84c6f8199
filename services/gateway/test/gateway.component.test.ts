import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { after, before, test } from 'node:test'
import { priceChanged } from '@halles/contracts/gen/messages/products'
import { createMessage } from '@halles/contracts/message'
import { uuidv7 } from '@halles/kit/ids'
import { createPostgresMessaging } from '@halles/kit/messaging/postgres'
import {
  createTestDatabase,
  eventually,
  silentLogger,
  type TestDatabase,
} from '@halles/kit/testing'
import { createApp } from '../src/app.ts'
import { loadGatewayConfig } from '../src/config.ts'
import { type Serve, startNeighbour } from './neighbour.ts'

let broker: TestDatabase
let neighbour: Awaited<ReturnType<typeof startNeighbour>>
let app: ReturnType<typeof createApp>
let url: string

function createGateway() {
  const names = 'AUTH RBAC CUSTOMERS PRODUCTS WISHLISTS CARTS ORDERS'.split(' ')
  return createApp(
    loadGatewayConfig({
      ...Object.fromEntries(names.map((name) => [`${name}_URLS`, neighbour.url])),
      PAYMENTS_URLS: 'http://127.0.0.1:9',
      PORT: '0',
      HOST: '127.0.0.1',
      LOG_LEVEL: 'silent',
      MESSAGES_URL: broker.url,
      INTERNAL_SECRET: 'x'.repeat(32),
      UPSTREAM_DEADLINE_MS: '1000',
      RATE_LIMIT_FACTOR: '1',
    }),
  )
}

before(async () => {
  broker = await createTestDatabase()
  neighbour = await startNeighbour()
  app = createGateway()
  await app.start()
  url = `http://127.0.0.1:${app.port()}`
})

after(async () => {
  await app.stop()
  await neighbour.stop()
  await broker.drop()
})

function productAnswer(title: string, id: string): Serve {
  return (_request, response) => {
    const headers = { 'content-type': 'application/json', 'cache-tag': `products product:${id}` }
    response.writeHead(200, headers).end(JSON.stringify({ title }))
  }
}

test('a catalogue answer is asked for once and then given from the cache with its tag', async () => {
  const id = uuidv7()
  neighbour.behave(productAnswer('tea', id))
  const first = await fetch(`${url}/api/v1/products/${id}`)
  assert.match(first.headers.get('cache-status') ?? '', /fwd=uri-miss; stored/)
  const second = await fetch(`${url}/api/v1/products/${id}`)
  assert.match(second.headers.get('cache-status') ?? '', /hit; ttl=/)
  assert.deepEqual(await second.json(), { title: 'tea' })
  assert.equal(second.headers.get('cache-tag'), null, 'tags stay inside')
  assert.equal(neighbour.seen.length, 1)
  const etag = second.headers.get('etag') ?? ''
  const third = await fetch(`${url}/api/v1/products/${id}`, { headers: { 'if-none-match': etag } })
  assert.equal(third.status, 304)
})

test('a price event drops the cached answers of that product', async (t) => {
  const id = uuidv7()
  neighbour.behave(productAnswer('old price', id))
  await fetch(`${url}/api/v1/products/${id}`)
  neighbour.behave(productAnswer('new price', id))
  const sender = createPostgresMessaging({
    url: broker.url,
    service: 'products',
    instance: 'test',
    logger: silentLogger(),
  })
  t.after(() => sender.stop())
  await sender.start()
  const state = { productId: id, version: 2, slug: 'x', title: 'x', category: null, variants: [] }
  const change = createMessage(
    priceChanged,
    { ...state, status: 'active' },
    { id: uuidv7(), at: new Date() },
  )
  await sender.publisher.publish([change])
  await eventually(async () => {
    const answer = await fetch(`${url}/api/v1/products/${id}`)
    assert.deepEqual(await answer.json(), { title: 'new price' })
  })
})

test('a service that fails is answered for with a problem that names it and says when to retry', async () => {
  neighbour.behave((_request, response) => response.socket?.destroy())
  const answer = await fetch(`${url}/api/v1/products/never-seen`)
  assert.equal(answer.status, 503)
  assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8')
  assert.ok(Number(answer.headers.get('retry-after')) > 0)
  const problem = (await answer.json()) as Record<string, unknown>
  assert.equal(problem.code, 'UPSTREAM_UNAVAILABLE')
  assert.equal(problem.service, 'products')
})

test('a service that does not answer in time is given up with 504', async () => {
  neighbour.behave(() => undefined)
  const answer = await fetch(`${url}/api/v1/carts`, { method: 'POST' })
  assert.equal(answer.status, 504)
})

test('a request that may have been served is not sent twice', async () => {
  neighbour.behave((_request, response) => response.socket?.destroy())
  await fetch(`${url}/api/v1/carts`, { method: 'POST' })
  assert.equal(neighbour.seen.length, 1)
})

test('a service that is not there answers 503 whatever the method', async () => {
  const answer = await fetch(`${url}/api/v1/webhooks/stripe`, {
    method: 'POST',
    headers: { 'stripe-signature': 't=1' },
    body: '{}',
  })
  assert.equal(answer.status, 503)
})

test('only known headers reach a service, and only known ones come back', async () => {
  neighbour.behave((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-inside': 'secret' }).end('{}')
  })
  const answer = await fetch(`${url}/api/v1/carts/${uuidv7()}`, {
    headers: { 'x-forwarded-for': '1.2.3.4', 'x-subject': 'root', 'accept-language': 'fr' },
  })
  assert.equal(answer.headers.get('x-inside'), null)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  const { headers } = neighbour.seen[0] as IncomingMessage
  assert.equal(headers['x-forwarded-for'], undefined)
  assert.equal(headers['x-subject'], undefined)
  assert.equal(headers['accept-language'], 'fr')
  assert.match(String(headers.traceparent), /^00-/)
  assert.equal(answer.headers.get('x-request-id'), String(headers.traceparent).split('-')[1])
})

test('a body over the limit of its route is refused before a service sees it', async () => {
  neighbour.behave(() => assert.fail('the service was asked'))
  const answer = await fetch(`${url}/api/v1/sessions`, { method: 'POST', body: 'x'.repeat(70_000) })
  assert.equal(answer.status, 413)
  const problem = (await answer.json()) as { errors: { pointer: string }[] }
  assert.equal(problem.errors[0]?.pointer, '/body')
})

test('what needs a token is refused without one before a service sees it', async () => {
  neighbour.behave(() => assert.fail('the service was asked'))
  for (const path of ['/api/v1/customers/me', '/api/v1/system', `/api/v1/orders/${uuidv7()}`]) {
    const answer = await fetch(url + path)
    assert.equal(answer.status, 401, path)
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer')
  }
})

test('another method is refused with the ones allowed, an unknown path with 404', async () => {
  const wrong = await fetch(`${url}/api/v1/carts/current`, { method: 'PATCH' })
  assert.equal(wrong.status, 405)
  assert.equal(wrong.headers.get('allow'), 'GET')
  assert.equal((await fetch(`${url}/api/v1/nothing`)).status, 404)
  assert.equal((await fetch(`${url}/internal/v1/policy`)).status, 404)
})

test('a client that floods one class is slowed down and told for how long', async () => {
  neighbour.behave((_request, response) => response.writeHead(401).end())
  const attempts = Array.from({ length: 40 }, () =>
    fetch(`${url}/api/v1/sessions`, { method: 'POST', body: '{}' }),
  )
  const answers = await Promise.all(attempts)
  const refused = answers.filter(({ status }) => status === 429)
  assert.ok(refused.length > 0)
  assert.ok(Number(refused[0]?.headers.get('retry-after')) > 0)
})

test('server-sent events pass through as they come, and end with the client', async () => {
  const closed = Promise.withResolvers<void>()
  neighbour.behave((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('event: cart\ndata: {}\n\n')
    response.once('close', () => closed.resolve())
  })
  const client = new AbortController()
  const answer = await fetch(`${url}/api/v1/carts/${uuidv7()}/events`, { signal: client.signal })
  const { value } = (await answer.body?.getReader().read()) ?? {}
  assert.match(Buffer.from(value ?? []).toString(), /event: cart/)
  client.abort()
  await closed.promise
})

test('a gateway that stops ends its event streams instead of waiting for them', async () => {
  neighbour.behave((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('event: cart\ndata: {}\n\n')
  })
  const leaving = createGateway()
  await leaving.start()
  const path = `/api/v1/carts/${uuidv7()}/events`
  const answer = await fetch(`http://127.0.0.1:${leaving.port()}${path}`)
  const reader = answer.body?.getReader()
  await reader?.read()
  const ended = assert.rejects(async () => reader?.read())
  await Promise.all([leaving.stop(), ended])
})

test('the documents are there for people and programs', async () => {
  const openapi = (await (await fetch(`${url}/openapi.json`)).json()) as { openapi: string }
  assert.equal(openapi.openapi, '3.1.0')
  const asyncapi = (await (await fetch(`${url}/asyncapi.json`)).json()) as { asyncapi: string }
  assert.equal(asyncapi.asyncapi, '3.0.0')
  const docs = await (await fetch(`${url}/docs`)).text()
  assert.match(docs, /placeOrder/)
})
