import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
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
import { missingRedis, startRedisServer } from './redis-server.ts'

const skip = missingRedis
let redis: Awaited<ReturnType<typeof startRedisServer>>
let broker: TestDatabase
let service: Server
let apps: ReturnType<typeof createApp>[] = []
let urls: string[] = []

/** What the service answers: a price, and how often it was asked for a product. */
let price = 1
let asked = 0

function createService(): Server {
  return createServer((request, response) => {
    if (request.url === '/internal/v1/policy') {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"roles":[]}')
    } else if (request.url?.startsWith('/api/v1/products/')) {
      asked += 1
      const tag = `product:${request.url.split('/').at(-1)}`
      const headers = { 'content-type': 'application/json', etag: `"${price}"`, 'cache-tag': tag }
      // Long enough for all who ask to come.
      setTimeout(() => response.writeHead(200, headers).end(JSON.stringify({ price })), 50)
    } else {
      request.resume()
      response.writeHead(request.url === '/readyz' ? 200 : 401).end()
    }
  })
}

before(async () => {
  if (skip) return
  redis = await startRedisServer()
  broker = await createTestDatabase()
  service = createService()
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  const serviceUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
  const names = 'AUTH RBAC CUSTOMERS PRODUCTS WISHLISTS CARTS ORDERS PAYMENTS'.split(' ')
  apps = [1, 2].map((n) =>
    createApp(
      loadGatewayConfig({
        ...Object.fromEntries(names.map((name) => [`${name}_URLS`, serviceUrl])),
        ...{ PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'silent', INSTANCE_ID: `gateway-${n}` },
        TRUSTED_PROXIES: '127.0.0.1',
        ...{ MESSAGES_URL: broker.url, REDIS_URL: redis.url, INTERNAL_SECRET: 'x'.repeat(32) },
      }),
    ),
  )
  for (const app of apps) await app.start()
  urls = apps.map((app) => `http://127.0.0.1:${app.port()}`)
})

after(async () => {
  if (skip) return
  await Promise.all(apps.map((app) => app.stop()))
  service.closeAllConnections()
  service.close()
  await broker.drop()
  await redis.stop()
})

const statusOf = (reply: Response) => reply.headers.get('cache-status') ?? ''

async function getPrice(url: string, id: string) {
  // Each product is read by a client of its own, so that none is limited.
  const headers = { 'x-forwarded-for': `2001:db8:${id.slice(-4)}::1` }
  const reply = await fetch(`${url}/api/v1/products/${id}`, { headers })
  assert.equal(reply.status, 200)
  return { price: ((await reply.json()) as { price: number }).price, status: statusOf(reply) }
}

/** Until both gateways use the shared cache: a new answer of the one is found by the other. */
async function areSharing(): Promise<void> {
  await eventually(async () => {
    const id = uuidv7()
    await getPrice(urls[0] ?? '', id)
    return (await getPrice(urls[1] ?? '', id)).status.includes('detail=shared')
  })
}

// Where the machine is busy, Redis may be late and each gateway by itself for a moment: tried again.
test('many requests at two gateways ask the service once', { skip }, async () => {
  await eventually(async () => {
    const id = uuidv7()
    asked = 0
    const all = urls.flatMap((url) => Array.from({ length: 50 }, () => getPrice(url, id)))
    const statuses = (await Promise.all(all)).map(({ status }) => status)
    assert.equal(asked, 1)
    assert.ok(statuses.includes('halles; fwd=uri-miss; stored'))
    assert.ok(statuses.includes('halles; fwd=uri-miss; stored; collapsed'))
    assert.ok(statuses.some((status) => /^halles; hit; ttl=\d+; detail=shared/.test(status)))
  })
})

test('a price change reaches both gateways, and one question suffices', { skip }, async (t) => {
  const sender = createPostgresMessaging({
    ...{ url: broker.url, service: 'products', instance: 'test', logger: silentLogger() },
  })
  t.after(() => sender.stop())
  await sender.start()
  await eventually(async () => {
    const id = uuidv7()
    for (const url of urls) await getPrice(url, id)
    price += 1
    asked = 0
    const state = { productId: id, version: 2, slug: 'x', title: 'x', category: null, variants: [] }
    const change = { ...state, status: 'active' as const }
    await sender.publisher.publish([
      createMessage(priceChanged, change, { id: uuidv7(), at: new Date() }),
    ])
    for (const url of urls) {
      await eventually(async () => (await getPrice(url, id)).price === price)
    }
    assert.equal(asked, 1)
  })
})

test('two gateways together admit what one client may try to sign in', { skip }, async () => {
  const body = JSON.stringify({ email: 'a@example.com', password: 'guess' })
  let client = 0
  await eventually(async () => {
    client += 1
    const headers = {
      'content-type': 'application/json',
      'x-forwarded-for': `203.0.113.${client}`,
    }
    const startedAtMs = performance.now()
    const statuses: number[] = []
    for (let n = 0; n < 30; n += 1) {
      const tries = urls.map((url) =>
        fetch(`${url}/api/v1/sessions`, { method: 'POST', headers, body }),
      )
      statuses.push(...(await Promise.all(tries)).map(({ status }) => status))
    }
    const admitted = statuses.filter((status) => status === 401).length
    assert.equal(statuses.filter((status) => status === 429).length, 60 - admitted)
    // The class has a burst of 20 and two a second.
    const refilled = Math.ceil((performance.now() - startedAtMs) / 500)
    assert.ok(admitted >= 20 && admitted <= 20 + refilled, `${admitted} were admitted`)
  })
})

test('nobody notices that Redis dies, and the gateways share again afterwards', {
  skip,
}, async () => {
  await areSharing()
  const id = uuidv7()
  await getPrice(urls[0] ?? '', id)
  await redis.kill()
  for (const url of urls) {
    await getPrice(url, id)
    await getPrice(url, uuidv7())
  }
  await redis.start()
  await areSharing()
})
