import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import architecture from './console-architecture.json' with { type: 'json' }
import recorded from './console-picture.json' with { type: 'json' }
import { cookieOf, problem, startWeb, tokenOf, type Web } from './support.ts'

const streams = new Set<ServerResponse>()
const asked: { path: string; authorization: string | undefined; body: string }[] = []
/** What the administrator of these tests may do. */
let permissions = ['system:read', 'system:write']
let isLocal = true

const changed = { isDone: true, processes: [] }
const letter = { failed: [], replayed: 2, hasMore: false }
const staff = {
  accessToken: tokenOf('018f3b60-0000-7000-8000-000000000000'),
  refreshToken: 'refresh',
  expiresInSeconds: 900,
}
const noStack = problem(404, 'NOT_A_LOCAL_STACK')

function answerOf(path: string): { status?: number; body: unknown } {
  if (path === '/api/v1/sessions') return { status: 201, body: staff }
  if (path === '/api/v1/permissions/mine') return { body: { permissions } }
  if (path === '/api/v1/system/architecture') return { body: architecture }
  if (path.endsWith('/actions') || path.endsWith('/scale')) {
    return isLocal ? { body: changed } : { status: 404, body: noStack }
  }
  if (path.startsWith('/api/v1/system/instances/'))
    return { status: 404, body: problem(404, 'INSTANCE_NOT_FOUND') }
  if (path === '/api/v1/system/dead-letters/replays') return { body: letter }
  if (path.startsWith('/api/v1/system/dead-letters'))
    return { body: { items: [], nextCursor: null } }
  return { status: 404, body: problem(404, 'ROUTE_NOT_FOUND') }
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  let body = ''
  for await (const chunk of request) body += String(chunk)
  asked.push({ path, authorization: request.headers.authorization, body })
  if (path === '/api/v1/system/events' && permissions.length > 0) {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`event: picture\ndata: ${JSON.stringify(recorded)}\n\n`)
    streams.add(response)
    response.once('close', () => streams.delete(response))
    return
  }
  const answer =
    path === '/api/v1/system/events'
      ? { status: 403, body: problem(403, 'PERMISSION_DENIED') }
      : answerOf(path)
  response.writeHead(answer.status ?? 200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(answer.body))
}

const server = createServer((request, response) => void serve(request, response))
let web: Web

before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  web = await startWeb({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
})
after(async () => {
  await web.stop()
  server.closeAllConnections()
  server.close()
})

/** A session of its own: what it may do is remembered for a while. */
async function signInWith(allowed: string[]): Promise<string> {
  permissions = allowed
  const form = { email: 'admin@example.com', password: 'right' }
  return cookieOf(await web.post('/sign-in?next=/console', form))
}

test('pictures of the system pass through with the operator’s own token, and end with the browser', async () => {
  const cookie = await signInWith(['system:read'])
  const gone = new AbortController()
  const answer = await fetch(`${web.url}/live/system`, { headers: { cookie }, signal: gone.signal })
  assert.equal(answer.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  assert.ok(answer.body)
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of answer.body) {
    text += decoder.decode(chunk)
    if (text.includes('\n\n', text.indexOf('event: picture'))) break
  }
  assert.match(text, /^retry: \d+\n\nevent: picture\ndata: \{/)
  const call = asked.findLast(({ path }) => path === '/api/v1/system/events')
  assert.equal(call?.authorization, `Bearer ${staff.accessToken}`)
  gone.abort()
  await eventually(() => assert.equal(streams.size, 0))
})

test('who is not signed in, or may not look, gets no pictures and is not asked to try at once', async () => {
  assert.equal((await web.get('/live/system')).status, 204)
  const cookie = await signInWith([])
  assert.equal((await web.get('/live/system', { cookie })).status, 204)
})

test('the console shows every part before its first picture came', async () => {
  const cookie = await signInWith(['system:read'])
  const html = await (await web.get('/console', { cookie })).text()
  for (const { name } of architecture.nodes.filter(({ kind }) => kind === 'service')) {
    assert.match(html, new RegExp(`data-part="${name}"`), name)
  }
})

test('an operator disturbs a part; who may only look is refused, and nobody is asked', async () => {
  isLocal = true
  const form = { action: 'slow', slowMs: '300', target: 'orders-1' }
  const allowed = await signInWith(['system:read', 'system:write'])
  const done = await web.post('/console/parts/orders', form, { cookie: allowed })
  assert.equal(done.status, 200)
  const call = asked.findLast(({ path }) => path.endsWith('/actions'))
  assert.equal(call?.path, '/api/v1/system/parts/orders-1/actions')
  assert.deepEqual(JSON.parse(call?.body ?? ''), { action: 'slow', slowMs: 300 })
  const before = asked.filter(({ path }) => path.endsWith('/actions')).length
  const onlooker = await signInWith(['system:read'])
  const refused = await web.post('/console/parts/orders', form, { cookie: onlooker })
  assert.equal(refused.status, 403)
  assert.equal(asked.filter(({ path }) => path.endsWith('/actions')).length, before)
})

test('where there is no local stack the refusal says so', async () => {
  isLocal = false
  const cookie = await signInWith(['system:read', 'system:write'])
  const refused = await web.post('/console/parts/orders', { action: 'stop' }, { cookie })
  assert.equal(refused.status, 422)
  assert.match(await refused.text(), /NOT_A_LOCAL_STACK/)
})

test('dead letters are replayed by what the filter shows', async () => {
  const cookie = await signInWith(['system:read', 'system:write'])
  const form = { service: 'carts', failedAfter: '2026-01-02T03:04' }
  const page = await web.post('/console/dead-letters', form, { cookie })
  assert.equal(page.status, 200)
  assert.match(await page.text(), /2 delivered again/)
  const call = asked.findLast(({ path }) => path.endsWith('/replays'))
  assert.deepEqual(JSON.parse(call?.body ?? ''), {
    service: 'carts',
    failedAfter: '2026-01-02T03:04:00.000Z',
    limit: 100,
  })
})
