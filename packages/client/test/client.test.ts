import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from '../src/index.ts'
import { empty, json, problem, startServer } from './server.ts'

const server = await startServer()
const halles = createClient({ baseUrl: `${server.url}/` })
const variantId = '019a0000-0000-7000-8000-000000000001'
const cart = { id: '019a0000-0000-7000-8000-000000000002', lines: [], total: null, version: 1 }

test('an operation goes to its path, with its parameters, query and body', async () => {
  server.answer(json(200, cart, { etag: '"1"' }))
  const params = { cartId: cart.id, variantId }
  const { data, etag, status } = await halles.putCartLine({ params, body: { quantity: 2 } })
  assert.deepEqual({ data, etag, status }, { data: cart, etag: '"1"', status: 200 })
  const [asked] = server.seen
  assert.equal(asked?.method, 'PUT')
  assert.equal(asked?.url, `/api/v1/carts/${cart.id}/lines/${variantId}`)
  assert.equal(asked?.headers['content-type'], 'application/json')
  assert.deepEqual(JSON.parse(asked?.body ?? ''), { quantity: 2 })

  server.answer(json(200, { items: [], nextCursor: null }))
  await halles.listProducts({ query: { q: 'a & b', limit: 5 } })
  assert.equal(server.seen[0]?.url, '/api/v1/products?q=a+%26+b&limit=5')
})

test('a part of a path cannot become another path', async () => {
  server.answer(json(200, {}))
  await halles.getProduct({ params: { idOrSlug: '../carts?x=1' } })
  assert.equal(server.seen[0]?.url, '/api/v1/products/..%2Fcarts%3Fx%3D1')
  await assert.rejects(halles.getProduct({ params: { idOrSlug: '' } }), TypeError)
})

test('an answer without a body has no data', async () => {
  server.answer(empty(204))
  const { data, status } = await halles.removeWishlistItem({ params: { variantId } })
  assert.deepEqual({ data, status }, { data: undefined, status: 204 })
})

test('text, bytes and pictures go as they are', async () => {
  server.answer(json(202, { id: variantId }))
  await halles.importProducts({ body: 'Handle,Title\n' })
  assert.equal(server.seen[0]?.headers['content-type'], 'text/csv')
  assert.equal(server.seen[0]?.body, 'Handle,Title\n')

  server.answer(json(201, {}))
  const body = new Blob(['picture'])
  const params = { productId: variantId }
  await halles.addImage({ params, query: { alt: 'A' }, body, contentType: 'image/webp' })
  assert.equal(server.seen[0]?.headers['content-type'], 'image/webp')
  assert.equal(server.seen[0]?.body, 'picture')

  server.answer((response) =>
    response.writeHead(200, { 'content-type': 'image/webp' }).end('\0\x01'),
  )
  const { data } = await halles.getImage({ params: { imageId: variantId, imageWidth: '320' } })
  assert.deepEqual([...data], [0, 1])
})

test('an earlier answer comes again when it is still good', async () => {
  const params = { idOrSlug: 'basket' }
  server.answer(json(200, { title: 'Basket' }, { etag: '"7"' }), empty(304, { etag: '"7"' }))
  const first = await halles.getProduct({ params })
  const again = await halles.getProduct({ params, known: first })
  assert.equal(server.seen[1]?.headers['if-none-match'], '"7"')
  assert.equal(first.isUnchanged, false)
  assert.deepEqual(again, { ...first, status: 304, isUnchanged: true })
})

test('a change names the version that was read', async () => {
  server.answer(problem(412, 'VERSION_CONFLICT'))
  const body = { amountMinor: 100, currency: 'EUR' }
  await assert.rejects(halles.setPrice({ params: { variantId }, body, ifMatch: '"3"' }), {
    code: 'VERSION_CONFLICT',
    status: 412,
  })
  assert.equal(server.seen[0]?.headers['if-match'], '"3"')
})

test('an answer from the cache because nobody else answers says so', async () => {
  const headers = { 'cache-status': 'halles; hit; detail=stale-if-error' }
  server.answer(json(200, {}, headers), json(200, {}))
  const params = { idOrSlug: 'basket' }
  assert.equal((await halles.getProduct({ params })).isStale, true)
  assert.equal((await halles.getProduct({ params })).isStale, false)
})

test('a list is one page when it is awaited, and every item when it is iterated', async () => {
  const pages = [
    json(200, { items: [{ title: 'a' }, { title: 'b' }], nextCursor: 'two' }),
    json(200, { items: [], nextCursor: 'three' }),
    json(200, { items: [{ title: 'c' }], nextCursor: null }),
  ]
  server.answer(...pages)
  const { data } = await halles.listProducts()
  assert.equal(data.nextCursor, 'two')
  assert.equal(server.seen.length, 1)

  server.answer(...pages)
  const titles: string[] = []
  for await (const { title } of halles.listProducts({ query: { q: 'x' } })) titles.push(title)
  assert.deepEqual(titles, ['a', 'b', 'c'])
  const asked = ['?q=x', '?q=x&cursor=two', '?q=x&cursor=three']
  assert.deepEqual(
    server.seen.map(({ url }) => url),
    asked.map((query) => `/api/v1/products${query}`),
  )
})

test('who leaves a list early asks for no more pages, and a page that fails is thrown', async () => {
  server.answer(
    json(200, { items: [{ title: 'a' }], nextCursor: 'two' }),
    problem(403, 'FORBIDDEN'),
  )
  for await (const { title } of halles.listProducts()) {
    assert.equal(title, 'a')
    break
  }
  assert.equal(server.seen.length, 1)
  const rest = halles.listProducts()[Symbol.asyncIterator]()
  await assert.rejects(rest.next(), { code: 'FORBIDDEN' })
})

test('server-sent events come one by one, wherever they were cut', async () => {
  const text = `retry: 1000\n\n: alive\n\nid: 7\nevent: cart\ndata: {"id":"é",\ndata: "version":1}\n\nevent: cart\ndata: {"version":2}\n\nevent: cart\ndata: {"ver`
  const bytes = Buffer.from(text)
  server.answer((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const byte of bytes) response.write(Buffer.of(byte))
    response.end()
  })
  const events: unknown[] = []
  for await (const event of halles.streamCart({ params: { cartId: cart.id } })) events.push(event)
  assert.deepEqual(events, [
    { event: 'cart', id: '7', data: { id: 'é', version: 1 } },
    { event: 'cart', id: undefined, data: { version: 2 } },
  ])
})

test('who stops listening closes the stream', async () => {
  const closed = new Promise<void>((resolve) => {
    server.answer((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('event: cart\ndata: {}\n\n')
      response.once('close', resolve)
    })
  })
  for await (const { event } of halles.streamCart({ params: { cartId: cart.id } })) {
    assert.equal(event, 'cart')
    break
  }
  await closed
})

test('a stream that a signal ends throws its reason', async () => {
  server.answer((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('event: cart\ndata: {}\n\n')
  })
  const { signal, abort } = controller()
  const stream = halles.streamCart({ params: { cartId: cart.id }, signal })
  await stream.next()
  abort(new Error('The page was closed.'))
  await assert.rejects(stream.next(), { message: 'The page was closed.' })
})

function controller() {
  const made = new AbortController()
  return { signal: made.signal, abort: (reason: Error) => made.abort(reason) }
}
