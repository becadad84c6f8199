import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { cartId, cartWith, cookieOf, startWeb, variantId, type Web } from './support.ts'

const streams = new Set<ServerResponse>()
const asked: string[] = []
const server = createServer((request, response) => {
  const path = request.url ?? ''
  request.resume()
  if (!path.endsWith('/events')) {
    const status = path === '/api/v1/carts' ? 201 : 200
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(path.includes('/lines/') ? cartWith(1) : cartWith(0)))
    return
  }
  asked.push(path)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(': connected\n\n')
  streams.add(response)
  response.once('close', () => streams.delete(response))
})
let web: Web
let cookie = ''

before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  web = await startWeb({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  cookie = cookieOf(await web.post('/cart', { intent: 'add', variantId, quantity: '1' }))
})
after(async () => {
  await web.stop()
  server.closeAllConnections()
  server.close()
})

/** Follows the basket; `text` grows with what has come. */
function follow() {
  const gone = new AbortController()
  const stream = { text: '', status: 0, hasEnded: false, leave: () => gone.abort() }
  const read = async () => {
    const answer = await fetch(`${web.url}/live/cart`, { headers: { cookie }, signal: gone.signal })
    stream.status = answer.status
    const decoder = new TextDecoder()
    for await (const chunk of answer.body ?? []) stream.text += decoder.decode(chunk)
  }
  const done = read()
    .catch((error: unknown) => {
      if (!gone.signal.aborted) throw error
    })
    .finally(() => {
      stream.hasEnded = true
    })
  return { stream, done }
}

test('a browser follows its own basket, and nothing is left open when it goes', async () => {
  const { stream, done } = follow()
  await eventually(() => streams.size === 1)
  assert.deepEqual(asked, [`/api/v1/carts/${cartId}/events`])
  for (const each of streams) each.write('event: cart\ndata: {"id":"x"}\n\n')
  await eventually(() => stream.text.includes('event: cart\ndata: {"id":"x"}'))
  stream.leave()
  await done
  await eventually(() => streams.size === 0)
})

test('a guest without a basket is told not to ask again', async () => {
  assert.equal((await web.get('/live/cart')).status, 204)
})

test('a session has a bounded number of streams', async () => {
  const opened = Array.from({ length: 6 }, follow)
  await eventually(() => streams.size === 6)
  assert.equal((await web.get('/live/cart', { cookie })).status, 204)
  for (const { stream } of opened) stream.leave()
  await Promise.all(opened.map(({ done }) => done))
  await eventually(() => streams.size === 0)
})

test('a stream ends when the server stops, so that the browser goes to another replica', async () => {
  const other = await startWeb({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  })
  const own = cookieOf(await other.post('/cart', { intent: 'add', variantId, quantity: '1' }))
  const answer = await other.get('/live/cart', { cookie: own })
  await eventually(() => streams.size === 1)
  const [text] = await Promise.all([answer.text(), other.stop()])
  assert.match(text, /retry: \d+/)
})
