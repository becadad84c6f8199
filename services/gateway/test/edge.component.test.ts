import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { createTestDatabase, eventually, type TestDatabase } from '@halles/kit/testing'
import { createApp } from '../src/app.ts'
import { loadGatewayConfig } from '../src/config.ts'
import { type Serve, startNeighbour } from './neighbour.ts'

let broker: TestDatabase
let service: Awaited<ReturnType<typeof startNeighbour>>
let web: Awaited<ReturnType<typeof startNeighbour>>
let app: ReturnType<typeof createApp>
let url: string

function createGateway(settings: Record<string, string> = {}) {
  const names = 'AUTH RBAC CUSTOMERS PRODUCTS WISHLISTS CARTS ORDERS PAYMENTS'.split(' ')
  return createApp(
    loadGatewayConfig({
      ...Object.fromEntries(names.map((name) => [`${name}_URLS`, service.url])),
      WEB_URLS: web.url,
      PORT: '0',
      HOST: '127.0.0.1',
      LOG_LEVEL: 'silent',
      MESSAGES_URL: broker.url,
      INTERNAL_SECRET: 'x'.repeat(32),
      ...settings,
    }),
  )
}

before(async () => {
  broker = await createTestDatabase()
  service = await startNeighbour()
  web = await startNeighbour()
  app = createGateway()
  await app.start()
  url = `http://127.0.0.1:${app.port()}`
})

after(async () => {
  await app.stop()
  await Promise.all([service.stop(), web.stop()])
  await broker.drop()
})

const html: Serve = (_request, response) => {
  const cookies = ['session=1; HttpOnly', 'theme=dark']
  const headers = { 'content-type': 'text/html', 'set-cookie': cookies, vary: 'cookie' }
  response.writeHead(200, { ...headers, 'x-powered-by': 'inside' }).end('<h1>Shop</h1>')
}

test('a page comes from the web server with its cookies and nothing else of its inside', async () => {
  web.behave(html)
  const answer = await fetch(`${url}/products/th%C3%A9?ref=1`)
  assert.equal(await answer.text(), '<h1>Shop</h1>')
  assert.deepEqual(answer.headers.getSetCookie(), ['session=1; HttpOnly', 'theme=dark'])
  assert.equal(answer.headers.get('vary'), 'cookie')
  assert.equal(answer.headers.get('x-powered-by'), null)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  assert.match(answer.headers.get('ratelimit-policy') ?? '', /^"page";q=\d+;w=\d+$/)
  assert.equal(web.seen[0]?.url, '/products/th%C3%A9?ref=1')
})

test('the web server is told who asks and under which name, by us alone', async () => {
  web.behave(html)
  await fetch(`${url}/`, {
    headers: {
      cookie: 'session=1',
      accept: 'text/html',
      authorization: 'Bearer x',
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-host': 'evil.example',
      'x-request-deadline-ms': '1',
      forwarded: 'for=1.2.3.4',
    },
  })
  const { headers } = web.seen[0] as IncomingMessage
  assert.equal(headers.cookie, 'session=1')
  assert.equal(headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'http')
  assert.equal(headers['x-forwarded-host'], `127.0.0.1:${app.port()}`)
  assert.equal(headers.forwarded, undefined)
  assert.equal(headers.authorization, undefined, 'pages know their user by the cookie')
  const deadlineMs = Number(headers['x-request-deadline-ms'])
  assert.ok(deadlineMs > 1_000 && deadlineMs <= 12_000)
})

test('what a trusted proxy says of the client is passed on as our own word', async (t) => {
  const trusting = createGateway({ TRUSTED_PROXIES: '127.0.0.0/8' })
  await trusting.start()
  t.after(() => trusting.stop())
  web.behave(html)
  await fetch(`http://127.0.0.1:${trusting.port()}/`, {
    headers: { 'x-forwarded-for': '9.9.9.9, 203.0.113.7', 'x-forwarded-proto': 'https' },
  })
  const { headers } = web.seen[0] as IncomingMessage
  assert.equal(headers['x-forwarded-for'], '203.0.113.7')
  assert.equal(headers['x-forwarded-proto'], 'https')
})

test('a form reaches the web server whole, one that is too large does not reach it', async () => {
  web.behave((request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    request.pipe(response)
  })
  const form = { method: 'POST', headers: { origin: url, 'sec-fetch-site': 'same-origin' } }
  const body = 'a=1&'.repeat(200_000)
  const answer = await fetch(`${url}/cart`, { ...form, body })
  assert.ok((await answer.text()) === body)
  web.behave(() => assert.fail('the web server was asked'))
  const refused = await fetch(`${url}/cart`, { ...form, body: body.repeat(2) })
  assert.equal(refused.status, 413)
})

test('a part of a page is shown as soon as it is there', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  web.behave((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).write('<h1>head</h1>')
    promise.then(() => response.end('<p>rest</p>'))
  })
  const reader = (await fetch(`${url}/cart`)).body?.getReader()
  const first = await reader?.read()
  assert.equal(Buffer.from(first?.value ?? []).toString(), '<h1>head</h1>')
  resolve()
  const second = await reader?.read()
  assert.equal(Buffer.from(second?.value ?? []).toString(), '<p>rest</p>')
})

test('the API and the gateway’s own paths are never asked of the web server', async () => {
  web.behave(() => assert.fail('the web server was asked'))
  for (const path of ['/api/v1/nothing', '/api', '/internal/v1/policy', '/metrics']) {
    const answer = await fetch(url + path)
    assert.equal(answer.status, 404, path)
    assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/)
  }
  for (const path of ['/healthz', '/readyz', '/docs', '/openapi.json']) {
    assert.equal((await fetch(url + path)).status, 200, path)
  }
})

test('the pages of a payment belong to the web server when there is one', async () => {
  web.behave(html)
  for (const path of ['/', '/checkout/return?order=1', '/checkout/cancelled']) {
    assert.equal(await (await fetch(url + path)).text(), '<h1>Shop</h1>', path)
  }
})

test('pages have no other methods, and no paths that could be read in two ways', async () => {
  web.behave(() => assert.fail('the web server was asked'))
  const wrong = await fetch(`${url}/cart`, { method: 'DELETE' })
  assert.equal(wrong.status, 405)
  assert.equal(wrong.headers.get('allow'), 'GET, HEAD, POST')
  for (const path of ['/a%2fb', '/a%5cb', '/%2561pi']) {
    assert.equal((await fetch(url + path)).status, 400, path)
  }
})

test('a browser is shown a page of ours while the web server is away; the API goes on', async () => {
  web.behave((_request, response) => response.socket?.destroy())
  const shown = await fetch(`${url}/cart`, { headers: { accept: 'text/html,*/*' } })
  assert.equal(shown.status, 503)
  assert.equal(shown.headers.get('content-type'), 'text/html; charset=utf-8')
  assert.ok(Number(shown.headers.get('retry-after')) > 0)
  assert.match(await shown.text(), /Back in a moment/)
  const told = await fetch(`${url}/cart.data`, { headers: { accept: '*/*' } })
  assert.equal(((await told.json()) as { code: string }).code, 'UPSTREAM_UNAVAILABLE')
  service.behave((_request, response) => response.writeHead(200).end('{}'))
  assert.equal((await fetch(`${url}/api/v1/carts/${uuidv7()}`)).status, 200)
})

test('a service is told how much time is left, whatever the client claims', async () => {
  service.behave((_request, response) => response.writeHead(200).end('{}'))
  const headers = { 'x-request-deadline-ms': '60000' }
  await fetch(`${url}/api/v1/carts/${uuidv7()}`, { headers })
  const read = Number(service.seen[0]?.headers['x-request-deadline-ms'])
  assert.ok(read > 0 && read <= 3_000, `${read}`)
  await fetch(`${url}/api/v1/carts`, { method: 'POST', headers })
  const write = Number(service.seen[1]?.headers['x-request-deadline-ms'])
  assert.ok(write > 3_000 && write <= 10_000, `${write}`)
  await fetch(`${url}/api/v1/products/${uuidv7()}`, { headers })
  assert.equal(service.seen[2]?.headers['x-request-deadline-ms'], '3000')
})

test('work at a service ends when the client goes away', async () => {
  const seen = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  service.behave((_request, response) => {
    response.once('close', () => ended.resolve())
    seen.resolve()
  })
  const socket = connect(app.port(), '127.0.0.1')
  socket.write(`GET /api/v1/carts/${uuidv7()} HTTP/1.1\r\nhost: shop\r\n\r\n`)
  await seen.promise
  socket.destroy()
  await ended.promise
})

test('what several wait for is not given up when the first of them goes away', async () => {
  const seen = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<void>()
  service.behave(async (_request, response) => {
    seen.resolve()
    await finish.promise
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"title":"tea"}')
  })
  const path = `/api/v1/products/${uuidv7()}`
  const socket = connect(app.port(), '127.0.0.1')
  socket.write(`GET ${path} HTTP/1.1\r\nhost: shop\r\n\r\n`)
  await seen.promise
  const other = fetch(url + path)
  socket.destroy()
  finish.resolve()
  assert.deepEqual(await (await other).json(), { title: 'tea' })
  assert.equal(service.seen.length, 1)
})

/** Keeps the loop of this process, and so of the gateway in it, late until the signal. */
async function block(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const untilMs = performance.now() + 400
    while (performance.now() < untilMs);
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('while the loop is blocked sign-ins are turned away and held answers are not', async () => {
  const path = `/api/v1/products/${uuidv7()}`
  service.behave((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  assert.equal((await fetch(url + path)).status, 200)
  const signIn = () => fetch(`${url}/api/v1/sessions`, { method: 'POST', body: '{}' })
  const over = new AbortController()
  const blocked = block(over.signal)
  try {
    const refused = await eventually(async () => {
      const answer = await signIn()
      return answer.status === 503 && answer
    })
    assert.equal(refused.headers.get('retry-after'), '2')
    assert.equal(((await refused.json()) as { code: string }).code, 'OVERLOADED')
    const held = await fetch(url + path)
    assert.equal(held.status, 200)
    assert.match(held.headers.get('cache-status') ?? '', /hit/)
  } finally {
    over.abort()
    await blocked
  }
  await eventually(async () => (await signIn()).status === 200)
})

test('without a web server the gateway has a welcome of its own', async (t) => {
  const alone = createGateway({ WEB_URLS: '' })
  await alone.start()
  t.after(() => alone.stop())
  const base = `http://127.0.0.1:${alone.port()}`
  assert.match(await (await fetch(base)).text(), /Halles is open/)
  assert.equal((await fetch(`${base}/checkout/return`)).status, 200)
  assert.equal((await fetch(`${base}/cart`)).status, 404)
})
