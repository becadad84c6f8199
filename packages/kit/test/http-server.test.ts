import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { AppError } from '../src/errors.ts'
import {
  createHttpServer,
  eventStream,
  type HttpRequest,
  type RouteContract,
  reply,
  versionEtag,
  versionFromIfMatch,
} from '../src/http-server.ts'
import { createLogger } from '../src/logging.ts'
import { createMetrics } from '../src/metrics.ts'
import { createPolicy } from '../src/policy.ts'
import type { TokenVerifier } from '../src/tokens.ts'
import { currentTrace, remainingMs } from '../src/trace.ts'

const id = { type: 'string', format: 'uuid' }
const line = {
  type: 'object',
  additionalProperties: false,
  required: ['quantity'],
  properties: {
    quantity: { type: 'integer', minimum: 1, maximum: 99 },
    note: { type: 'string', maxLength: 40 },
    tags: { type: 'array', maxItems: 3, items: { type: 'string' } },
    giftUntil: { type: 'string', format: 'date-time' },
  },
}
const answer = {
  type: 'object',
  additionalProperties: false,
  required: ['ok'],
  properties: { ok: { type: 'boolean' }, seen: {} },
}

function route(operation: string, method: string, path: string, rest: Partial<RouteContract>) {
  const contract: RouteContract = {
    operation,
    service: 'demo',
    method,
    path,
    summary: operation,
    access: { kind: 'public' },
    responses: { '200': answer },
    rate: 'read',
    ...rest,
  }
  return contract
}

const routes = {
  putLine: route('putLine', 'PUT', '/api/v1/carts/{cartId}/lines/{variantId}', {
    params: {
      type: 'object',
      required: ['cartId', 'variantId'],
      properties: { cartId: id, variantId: id },
    },
    body: line,
  }),
  listThings: route('listThings', 'GET', '/api/v1/things', {
    query: {
      type: 'object',
      additionalProperties: false,
      properties: {
        limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
        category: { type: 'array', items: { type: 'string' } },
        q: { type: 'string' },
      },
    },
  }),
  createThing: route('createThing', 'POST', '/api/v1/things', {
    headers: {
      type: 'object',
      required: ['Idempotency-Key'],
      properties: { 'Idempotency-Key': { type: 'string', minLength: 8 } },
    },
    body: { type: 'object' },
    responses: { '201': answer, '400': null },
  }),
  editThing: route('editThing', 'PATCH', '/api/v1/things/{slug}', {
    access: { kind: 'permission', permission: 'things:write' },
    params: { type: 'object', properties: { slug: { type: 'string', maxLength: 50 } } },
    body: line,
  }),
  mine: route('mine', 'GET', '/api/v1/mine', { access: { kind: 'signed-in' } }),
  maybe: route('maybe', 'GET', '/api/v1/maybe', { access: { kind: 'optional' } }),
  holder: route('holder', 'GET', '/api/v1/held', { access: { kind: 'order-holder' } }),
  // The same path to a router as that of `editThing`.
  oneThing: route('oneThing', 'GET', '/api/v1/things/{idOrSlug}', {}),
  inside: route('inside', 'POST', '/internal/v1/inside', { access: { kind: 'internal' } }),
  hook: route('hook', 'POST', '/api/v1/hook', {
    bodyType: 'raw',
    bodyLimitBytes: 100,
    responses: { '200': answer },
  }),
  importCsv: route('importCsv', 'POST', '/api/v1/imports', { bodyType: 'text/csv' }),
  remove: route('remove', 'DELETE', '/api/v1/things/{slug}', { responses: { '204': null } }),
  broken: route('broken', 'GET', '/api/v1/broken', {}),
  busy: route('busy', 'GET', '/api/v1/busy', {}),
  slow: route('slow', 'GET', '/api/v1/slow', {}),
  events: route('events', 'GET', '/api/v1/events', { responses: { '200': null } }),
}

const lines: string[] = []
const logger = createLogger({
  service: 'demo',
  instance: 'demo-1',
  level: 'info',
  destination: { write: (text) => void lines.push(text) },
})
const tokens: TokenVerifier = {
  async verify(header) {
    if (header === 'Bearer staff') return { subjectId: 's', sessionId: '1', roles: ['staff'] }
    if (header === 'Bearer guest') {
      return { subjectId: 'o', sessionId: '', roles: [], orderId: 'o' }
    }
    if (header === 'Bearer anna') return { subjectId: 'anna', sessionId: '2', roles: [] }
    throw new AppError('unauthenticated', 'AUTHENTICATION_REQUIRED', 'Sign in first.')
  },
  recall: () => undefined,
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
}
const policy = createPolicy({
  fetchPolicy: async () => ({
    roles: [{ role: 'staff', permissions: ['things:write'], version: 1 }],
  }),
  logger,
})
const metrics = createMetrics({ service: 'demo' })

type Ops = Record<
  Exclude<keyof typeof routes, 'putLine'>,
  { reply: { ok: boolean; seen?: unknown } }
> & {
  putLine: {
    params: { cartId: string; variantId: string }
    body: { quantity: number }
    reply: { ok: boolean; seen?: unknown }
  }
}

function build() {
  return createHttpServer<Ops>({
    service: 'demo',
    instance: 'demo-1',
    logger,
    routes,
    host: '127.0.0.1',
    port: 0,
    isReady: () => isReady,
    tokens,
    policy,
    internalSecret: 'an internal secret',
    metrics,
    bodyLimitBytes: 4_096,
  })
}

let isReady = true
const server = build()
const started = Promise.withResolvers<HttpRequest>()
const released = Promise.withResolvers<void>()
const streamEnded = Promise.withResolvers<string>()
let origin = ''

before(async () => {
  server.on('putLine', async ({ params, body }) => ({
    ok: true,
    seen: { cartId: params.cartId, quantity: body.quantity },
  }))
  server.on('listThings', async ({ query }) => ({ ok: true, seen: query }))
  server.on('createThing', async ({ body }) =>
    reply({ ok: true, seen: body }, { headers: { etag: versionEtag(3) } }),
  )
  server.on('editThing', async ({ headers, caller }) => ({
    ok: true,
    seen: {
      version: versionFromIfMatch((headers as Record<string, string>)['if-match']),
      subjectId: caller?.subjectId,
    },
  }))
  server.on('mine', async ({ caller }) => ({ ok: true, seen: caller?.subjectId }))
  server.on('maybe', async ({ caller }) => ({ ok: true, seen: caller?.subjectId ?? 'nobody' }))
  server.on('holder', async ({ caller }) => ({ ok: true, seen: caller?.orderId ?? 'no order' }))
  server.on('oneThing', async () => ({ ok: true }))
  server.on('inside', async () => ({ ok: true }))
  server.on('hook', async ({ rawBody }) => ({ ok: true, seen: rawBody.toString('hex') }))
  server.on('importCsv', async ({ body }) => ({ ok: true, seen: body }))
  server.on('remove', async () => reply({ ok: true }))
  server.on('broken', async () => {
    throw new Error('the password of the database is hunter2')
  })
  server.on('busy', async () => {
    throw new AppError('unavailable', 'BUSY', 'Busy.', {
      retryAfterSeconds: 1.2,
      details: { queue: 7 },
    })
  })
  server.on('slow', async (request) => {
    started.resolve(request as HttpRequest)
    await released.promise
    return { ok: true, seen: { left: remainingMs(9_999), traceId: currentTrace()?.traceId } }
  })
  server.on('events', async ({ signal }) =>
    eventStream(
      (async function* () {
        yield { event: 'price-changed', data: { amountMinor: 1 }, id: '1' }
        yield { event: 'with\nbreak', data: 'a\nb' }
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        streamEnded.resolve('ended')
      })(),
    ),
  )
  await policy.start()
  await server.start()
  origin = `http://127.0.0.1:${server.port()}`
})

after(async () => {
  await policy.stop()
  await server.stop()
})

const json = { 'content-type': 'application/json' }
const cartId = '0190a5b2-7c1e-7d1a-9f00-0123456789ab'
const linePath = `/api/v1/carts/${cartId}/lines/${cartId}`

async function call(method: string, path: string, options: RequestInit = {}) {
  const response = await fetch(`${origin}${path}`, { method, ...options })
  const text = await response.text()
  const body = text === '' ? undefined : JSON.parse(text)
  return { status: response.status, headers: response.headers, body }
}

async function refused(answered: ReturnType<typeof call>, status: number, code: string) {
  const { body, headers, status: actual } = await answered
  assert.deepEqual([actual, body.code, body.status], [status, code, status])
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/)
  assert.match(body.traceId, /^[0-9a-f]{32}$/)
  const pointers = (body.errors ?? []).map((fault: { pointer: string }) => fault.pointer)
  return { body, headers, pointers }
}

test('a valid request is parsed, typed and answered with the default status', async () => {
  const body = JSON.stringify({ quantity: 2 })
  const answered = await call('PUT', linePath, { headers: json, body })
  assert.equal(answered.status, 200)
  assert.deepEqual(answered.body, { ok: true, seen: { cartId, quantity: 2 } })
})

test('text parameters are coerced and get their defaults', async () => {
  const one = await call('GET', '/api/v1/things?limit=5&category=a')
  assert.deepEqual(one.body.seen, { limit: 5, category: ['a'] })
  const many = await call('GET', '/api/v1/things?category=a&category=b')
  assert.deepEqual(many.body.seen, { limit: 20, category: ['a', 'b'] })
})

test('every fault of every part is named at once by its pointer', async () => {
  const answered = call('PUT', '/api/v1/carts/nope/lines/x?extra=1', {
    headers: json,
    body: JSON.stringify({
      quantity: '2',
      color: 'red',
      tags: ['a', 5],
      giftUntil: '2026-02-31T00:00:00Z',
    }),
  })
  const { pointers } = await refused(answered, 400, 'INVALID_REQUEST')
  assert.deepEqual(pointers.sort(), [
    '/body/color',
    '/body/giftUntil',
    '/body/quantity',
    '/body/tags/1',
    '/params/cartId',
    '/params/variantId',
    '/query/extra',
  ])
})

for (const [what, body, pointer] of [
  ['a missing field', '{}', '/body/quantity'],
  ['a missing body', '', '/body'],
  ['a negative quantity', '{"quantity":-1}', '/body/quantity'],
  ['an absurd quantity', '{"quantity":1e300}', '/body/quantity'],
  ['an infinite quantity', '{"quantity":1e999}', '/body/quantity'],
  ['a body of another type', '[]', '/body'],
  ['null', 'null', '/body'],
  ['NUL in a text', '{"quantity":1,"note":"a\\u0000b"}', '/body/note'],
  ['a lone surrogate', '{"quantity":1,"note":"\\ud800"}', '/body/note'],
  ['a prototype', '{"quantity":1,"__proto__":{"a":1}}', '/body/__proto__'],
  ['a name with a slash', '{"quantity":1,"a/b~c":1}', '/body/a~1b~0c'],
] as const) {
  test(`${what} is refused and the field is named`, async () => {
    const answered = call('PUT', linePath, { headers: json, body })
    const { pointers } = await refused(answered, 400, 'INVALID_REQUEST')
    assert.deepEqual(pointers, [pointer])
  })
}

test('a body nested without end is refused', async () => {
  const body = `{"a":${'['.repeat(2_000)}${']'.repeat(2_000)}}`
  const headers = { ...json, 'idempotency-key': '12345678' }
  await refused(call('POST', '/api/v1/things', { headers, body }), 400, 'INVALID_REQUEST')
})

test('a body of brackets alone is refused, and the field that is too deep is named', async () => {
  const headers = { ...json, 'idempotency-key': '12345678' }
  const body = `{"lines":${'['.repeat(1_900)}${']'.repeat(1_900)}}`
  const deep = call('POST', '/api/v1/things', { headers, body })
  const { pointers } = await refused(deep, 400, 'INVALID_REQUEST')
  assert.match(pointers[0], /^\/body\/lines(\/0)+$/)
  const open = call('POST', '/api/v1/things', { headers, body: '['.repeat(4_000) })
  assert.deepEqual((await refused(open, 400, 'MALFORMED_JSON')).pointers, ['/body'])
})

test('a name that objects have by themselves is a name as any other', async () => {
  const body = '{"quantity":1,"constructor":{"prototype":{}},"toString":1}'
  const { pointers } = await refused(
    call('PUT', linePath, { headers: json, body }),
    400,
    'INVALID_REQUEST',
  )
  assert.deepEqual(pointers, ['/body/constructor', '/body/toString'])
})

test('text in UTF-8 may say so', async () => {
  for (const type of [
    'application/json; charset=utf-8',
    'application/merge-patch+json;charset="UTF-8"',
  ]) {
    const body = '{"quantity":1}'
    const { status } = await call('PUT', linePath, { headers: { 'content-type': type }, body })
    assert.equal(status, 200, type)
  }
})

test('NUL and broken escapes in the address are refused', async () => {
  const nul = await refused(call('GET', '/api/v1/things?q=%00'), 400, 'INVALID_REQUEST')
  assert.deepEqual(nul.pointers, ['/query/q'])
  const staff = { ...json, authorization: 'Bearer staff' }
  const slug = call('PATCH', '/api/v1/things/a%00', { headers: staff, body: '{"quantity":1}' })
  assert.deepEqual((await refused(slug, 400, 'INVALID_REQUEST')).pointers, ['/params/slug'])
  await refused(call('GET', '/api/v1/things/%zz'), 400, 'INVALID_REQUEST')
})

test('a required header is named when it is missing', async () => {
  const answered = call('POST', '/api/v1/things', { headers: json, body: '{}' })
  const { pointers } = await refused(answered, 400, 'INVALID_REQUEST')
  assert.deepEqual(pointers, ['/headers/idempotency-key'])
})

test('a reply may have headers of its own and has the first 2xx status of the contract', async () => {
  const headers = { ...json, 'idempotency-key': '12345678' }
  const answered = await call('POST', '/api/v1/things', { headers, body: '{"a":1}' })
  assert.deepEqual([answered.status, answered.headers.get('etag')], [201, '"3"'])
  const empty = await call('DELETE', '/api/v1/things/a', { headers: json })
  assert.deepEqual([empty.status, empty.body], [204, undefined])
})

test('bytes that are no JSON are refused', async () => {
  const utf16 = Buffer.from('{"quantity":1}', 'utf16le')
  const marked = Buffer.from('\ufeff{"quantity":1}')
  const invalid = Buffer.from([0x22, 0xff, 0x22])
  for (const body of ['{', 'quantity=1', invalid, utf16, marked, '{"quantity":01}', '[1,]']) {
    const answered = call('PUT', linePath, { headers: json, body })
    assert.deepEqual((await refused(answered, 400, 'MALFORMED_JSON')).pointers, ['/body'])
  }
})

test('a body that is too large is refused, with the limit of its route', async () => {
  const large = JSON.stringify({ quantity: 1, note: 'x'.repeat(5_000) })
  await refused(call('PUT', linePath, { headers: json, body: large }), 413, 'BODY_TOO_LARGE')
  await refused(call('POST', '/api/v1/hook', { body: 'x'.repeat(101) }), 413, 'BODY_TOO_LARGE')
})

test('another content type is refused', async () => {
  for (const headers of [
    { 'content-type': 'application/json; charset=utf-16' },
    { 'content-type': 'application/json;charset="latin1"' },
    { 'content-type': 'text/plain' },
    { 'content-type': 'nonsense' },
    { ...json, 'content-encoding': 'gzip' },
  ]) {
    const answered = call('PUT', linePath, { headers, body: '{"quantity":1}' })
    await refused(answered, 415, 'UNSUPPORTED_MEDIA_TYPE')
  }
  const csv = call('POST', '/api/v1/imports', { headers: json, body: '{}' })
  await refused(csv, 415, 'UNSUPPORTED_MEDIA_TYPE')
})

test('raw bodies arrive byte by byte and CSV as text', async () => {
  const bytes = Buffer.from([0, 255, 10])
  const raw = await call('POST', '/api/v1/hook', { headers: json, body: bytes })
  assert.equal(raw.body.seen, '00ff0a')
  const headers = { 'content-type': 'text/csv; charset=utf-8' }
  const csv = await call('POST', '/api/v1/imports', { headers, body: 'a,b\n1,é' })
  assert.equal(csv.body.seen, 'a,b\n1,é')
})

test('a file without content is missing, whatever type it has', async () => {
  for (const headers of [{ 'content-type': 'text/csv' }, undefined]) {
    const empty = call('POST', '/api/v1/imports', headers && { headers })
    assert.deepEqual((await refused(empty, 400, 'INVALID_REQUEST')).pointers, ['/body'])
  }
})

test('an unknown path is 404 and a known path with another method is 405 with Allow', async () => {
  await refused(call('GET', '/api/v1/nothing'), 404, 'ROUTE_NOT_FOUND')
  await refused(call('POST', '/api/v1/nothing', { body: 'x' }), 404, 'ROUTE_NOT_FOUND')
  const other = await refused(
    call('PUT', '/api/v1/things', { headers: json, body: '{' }),
    405,
    'METHOD_NOT_ALLOWED',
  )
  assert.equal(other.headers.get('allow'), 'GET, POST, HEAD')
  const shared = await refused(call('PUT', '/api/v1/things/a'), 405, 'METHOD_NOT_ALLOWED')
  assert.equal(shared.headers.get('allow'), 'PATCH, GET, DELETE, HEAD')
})

test('a bug says nothing of itself and is logged once', async () => {
  const before = lines.length
  const { body } = await refused(call('GET', '/api/v1/broken'), 500, 'INTERNAL')
  assert.ok(!JSON.stringify(body).includes('hunter2'))
  const entries = lines.slice(before).map((text) => JSON.parse(text))
  assert.equal(entries.length, 1)
  assert.deepEqual([entries[0].level, entries[0].traceId], ['error', body.traceId])
})

test('a refusal for now says when to come back', async () => {
  const { body, headers } = await refused(call('GET', '/api/v1/busy'), 503, 'BUSY')
  assert.deepEqual([headers.get('retry-after'), body.queue], ['2', 7])
})

test('who may call is decided by the access of the contract', async () => {
  const as = (authorization: string) => ({ headers: { authorization } })
  const nobody = await refused(call('GET', '/api/v1/mine'), 401, 'AUTHENTICATION_REQUIRED')
  assert.equal(nobody.headers.get('www-authenticate'), 'Bearer')
  assert.equal((await call('GET', '/api/v1/mine', as('Bearer anna'))).body.seen, 'anna')
  await refused(call('GET', '/api/v1/mine', as('Bearer guest')), 403, 'SIGN_IN_REQUIRED')
  assert.equal((await call('GET', '/api/v1/maybe')).body.seen, 'nobody')
  await refused(call('GET', '/api/v1/maybe', as('Bearer guest')), 403, 'SIGN_IN_REQUIRED')
  assert.equal((await call('GET', '/api/v1/held', as('Bearer guest'))).body.seen, 'o')
  assert.equal((await call('GET', '/api/v1/held', as('Bearer anna'))).body.seen, 'no order')
  await refused(call('GET', '/api/v1/held'), 401, 'AUTHENTICATION_REQUIRED')
  await refused(call('GET', '/api/v1/maybe', as('Bearer x')), 401, 'AUTHENTICATION_REQUIRED')
  const inside = '/internal/v1/inside'
  await refused(call('POST', inside, as('Bearer staff')), 401, 'INTERNAL_SECRET_REQUIRED')
  assert.equal((await call('POST', inside, as('Internal an internal secret'))).status, 200)
})

test('a permission is required before the body is read', async () => {
  const patch = (authorization: string, more = {}) =>
    call('PATCH', '/api/v1/things/a', {
      headers: { ...json, authorization, ...more },
      body: '{"quantity":1}',
    })
  await refused(patch('Bearer anna'), 403, 'FORBIDDEN')
  await refused(patch('Bearer staff'), 428, 'IF_MATCH_REQUIRED')
  await refused(patch('Bearer staff', { 'if-match': 'seven' }), 400, 'INVALID_REQUEST')
  const done = await patch('Bearer staff', { 'if-match': 'W/"7"' })
  assert.deepEqual(done.body.seen, { version: 7, subjectId: 's' })
})

test('no random JSON body makes a 5xx, and each refusal names a field', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json({ maxDepth: 4 }), async (body) => {
      const answered = await call('PUT', linePath, { headers: json, body })
      assert.ok(answered.status === 200 || answered.status === 400, `${answered.status} ${body}`)
      if (answered.status === 400) assert.ok(answered.body.errors[0].pointer.startsWith('/body'))
    }),
    { numRuns: 200 },
  )
})

test('no random field values or query make a 5xx', async () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.string({ unit: 'binary' }), fc.double())
  const fields = fc.record(
    { quantity: value, note: value, tags: value, giftUntil: value, other: value },
    { requiredKeys: [] },
  )
  await fc.assert(
    fc.asyncProperty(fields, fc.string({ unit: 'binary', maxLength: 40 }), async (body, text) => {
      const put = await call('PUT', linePath, { headers: json, body: JSON.stringify(body) })
      assert.ok(put.status < 500, JSON.stringify(body))
      const query = new URLSearchParams({ q: text, limit: text })
      assert.ok((await call('GET', `/api/v1/things?${query}`)).status < 500, text)
    }),
    { numRuns: 200 },
  )
})

test('bytes that are no HTTP get a problem and not a crash', async () => {
  const socket = connect(server.port(), '127.0.0.1')
  socket.end('NONSENSE\r\n\r\n')
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  assert.match(chunk.toString(), /^HTTP\/1\.1 400 [\s\S]*MALFORMED_HTTP/)
})

test('a client that goes away aborts the signal of its request', async () => {
  const away = new AbortController()
  const request = fetch(`${origin}/api/v1/slow`, {
    signal: away.signal,
    headers: { 'x-request-deadline-ms': '40000' },
  })
  const seen = await started.promise
  const aborted = once(seen.signal, 'abort')
  away.abort()
  await assert.rejects(request)
  await aborted
  assert.equal(seen.signal.reason.code, 'CLIENT_GONE')
  released.resolve()
})

test('trace and deadline of the caller are known while its request is served', async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const headers = {
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    'x-request-deadline-ms': '5000',
  }
  const { body } = await call('GET', '/api/v1/slow', { headers })
  assert.equal(body.seen.traceId, traceId)
  assert.ok(body.seen.left <= 5_000)
})

test('readiness and health say who answers and in which state', async () => {
  const describe = (state: string) => ({ service: 'demo', id: 'demo-1', pid: process.pid, state })
  const ready = await call('GET', '/readyz')
  assert.deepEqual([ready.status, ready.body], [200, describe('ready')])
  isReady = false
  const unready = await call('GET', '/readyz')
  assert.deepEqual([unready.status, unready.body], [503, describe('starting')])
  assert.equal((await call('GET', '/healthz')).status, 200)
  isReady = true
})

test('requests are measured by the pattern of their route', async () => {
  const text = await metrics.registry.metrics()
  assert.match(text, /http_request_duration_seconds_count\{[^}]*route="\/api\/v1\/carts\/:cartId/)
  assert.ok(!text.includes(cartId))
})

test('a request in flight when the stop begins is finished, and idle or silent sockets do not hold it up', {
  timeout: 10_000,
}, async () => {
  const running = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const small = createHttpServer<{ broken: { reply: { ok: boolean } } }>({
    service: 'small',
    logger,
    routes: { broken: routes.broken },
    host: '127.0.0.1',
    port: 0,
    isReady: () => true,
    reusePort: true,
    intercept: (request, response, pass) => {
      if (request.url === '/cached') response.end('from the cache')
      else pass()
    },
  })
  small.on('broken', async () => {
    running.resolve()
    await gate.promise
    return { ok: true }
  })
  await small.start()
  const base = `http://127.0.0.1:${small.port()}`
  assert.equal(await (await fetch(`${base}/cached`)).text(), 'from the cache')
  const silent = connect(small.port(), '127.0.0.1')
  await once(silent, 'connect')
  const request = fetch(`${base}/api/v1/broken`)
  await running.promise
  const stopped = small.stop()
  gate.resolve()
  assert.deepEqual(await (await request).json(), { ok: true })
  await stopped
  await assert.rejects(fetch(`${base}/api/v1/broken`))
})

test('only a plain UUID is an id: PostgreSQL knows no other form', async () => {
  const path = '/api/v1/carts/urn:uuid:01a203ff-f224-7dc9-b297-8d124fe22c8f/lines/x'
  const response = await fetch(`${origin}${path}`, { method: 'PUT' })
  assert.equal(response.status, 400)
})

test('a server whose operation has no handler does not start', async () => {
  await assert.rejects(build().start(), /no handler for putLine, listThings/)
})

test('events are streamed, and a drain ends the stream and lets requests in flight finish', async () => {
  const response = await fetch(`${origin}/api/v1/events`)
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  assert.ok(response.body)
  let text = ''
  let stopped: Promise<void> | undefined
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.includes('with break')) stopped ??= server.stop()
  }
  assert.equal(
    text,
    ': connected\n\nid: 1\nevent: price-changed\ndata: {"amountMinor":1}\n\n' +
      'event: with break\ndata: "a\\nb"\n\n',
  )
  assert.ok(stopped)
  await stopped
  assert.equal(await streamEnded.promise, 'ended')
})
