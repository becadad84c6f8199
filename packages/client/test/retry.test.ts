import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient, isHallesError, isTemporary } from '../src/index.ts'
import { parseRetryAfter, pauseMs } from '../src/retry.ts'
import { breakOff, json, problem, startServer } from './server.ts'

const server = await startServer()
const connect = (options = {}) => createClient({ baseUrl: server.url, ...options })
const params = { idOrSlug: 'basket' }
const orderId = '019a0000-0000-7000-8000-000000000003'
const away = problem(503, 'UPSTREAM_UNAVAILABLE', { headers: { 'retry-after': '0' } })
const limited = problem(429, 'RATE_LIMITED', { headers: { 'retry-after': '0' } })
const html = (status: number) => json(status, '<html>', { 'content-type': 'text/html' })

for (const [fault, reply] of [
  ['nobody answers', breakOff],
  ['the service is away', away],
  ['the limit is met', limited],
  ['a proxy has nobody behind it', html(502)],
] as const) {
  test(`a read is sent again when ${fault}`, async () => {
    server.answer(reply, reply, json(200, { title: 'Basket' }))
    const { data } = await connect().getProduct({ params })
    assert.equal(data.title, 'Basket')
    assert.equal(server.seen.length, 3)
  })
}

test('what takes an Idempotency-Key is sent again with the same key', async () => {
  server.answer(breakOff, away, json(201, { id: orderId }))
  await connect().refundOrder({ params: { orderId }, body: { reason: 'late' } })
  const keys = server.seen.map(({ headers }) => headers['idempotency-key'])
  assert.equal(keys.length, 3)
  assert.match(String(keys[0]), /^[0-9a-f]{32}$/)
  assert.equal(new Set(keys).size, 1)

  server.answer(away)
  const own = { params: { orderId }, body: {}, idempotencyKey: 'refund-of-1', tries: 2 }
  const error = await connect()
    .refundOrder(own)
    .catch((each: unknown) => each)
  assert.ok(isHallesError(error, 'UPSTREAM_UNAVAILABLE'))
  assert.equal(error.idempotencyKey, 'refund-of-1')
  assert.equal(server.seen.length, 2)
})

for (const [fault, reply] of [
  ['nobody answers', breakOff],
  ['the service is away', away],
] as const) {
  test(`another change is not sent again when ${fault}`, async () => {
    server.answer(reply, json(200, {}))
    const change = connect().cancelOrder({ params: { orderId }, body: {} })
    await assert.rejects(change, isTemporary)
    assert.equal(server.seen.length, 1)
  })
}

test('any change is sent again after a limit: it is met before anything is done', async () => {
  server.answer(limited, json(200, { id: orderId }))
  await connect().cancelOrder({ params: { orderId }, body: {} })
  assert.equal(server.seen.length, 2)
})

test('what is refused for good is not sent again', async () => {
  for (const status of [400, 403, 404, 409, 422, 500]) {
    server.answer(problem(status, 'REFUSED'))
    await assert.rejects(connect().getProduct({ params }), { status, code: 'REFUSED' })
    assert.equal(server.seen.length, 1)
  }
})

test('a call ends after its tries', async () => {
  server.answer(away)
  await assert.rejects(connect().getProduct({ params, tries: 3 }), { status: 503 })
  assert.equal(server.seen.length, 3)
})

test('while everything fails, a client adds little to what it would send anyway', async () => {
  server.answer(away)
  const halles = connect({ tries: 5 })
  const calls = 40
  for (let count = 0; count < calls; count += 1) {
    await assert.rejects(halles.getProduct({ params }), isTemporary)
  }
  // Ten that were saved, and a fifth of the calls.
  assert.ok(server.seen.length <= calls + 10 + calls / 5, `${server.seen.length} were sent.`)
  assert.ok(server.seen.length > calls)
})

test('a pause that the time does not suffice for is not begun', async () => {
  server.answer(problem(503, 'UPSTREAM_BUSY', { headers: { 'retry-after': '3600' } }))
  const error = await connect()
    .getProduct({ params })
    .catch((each: unknown) => each)
  assert.ok(isHallesError(error, 'UPSTREAM_BUSY'))
  assert.equal(error.retryAfterSeconds, 3600)
  assert.equal(server.seen.length, 1)
})

test('the pause is what the server asks for, or grows', () => {
  for (let count = 1; count < 10; count += 1) {
    assert.ok(pauseMs(count, 3) >= 3_000)
    assert.ok(pauseMs(count, undefined) <= Math.min(5_000, 200 * 2 ** (count - 1)))
  }
  assert.equal(parseRetryAfter('7'), 7)
  assert.equal(parseRetryAfter(null), undefined)
  assert.equal(parseRetryAfter('soon'), undefined)
  assert.equal(parseRetryAfter(new Date(0).toUTCString()), 0)
  const inAnHour = parseRetryAfter(new Date(Date.now() + 3_600_000).toUTCString())
  assert.ok(inAnHour !== undefined && inAnHour > 3_500 && inAnHour <= 3_600)
})

test('a call without an answer ends with its time', async () => {
  server.answer(() => undefined)
  const halles = connect()
  const call = halles.getProduct({ params, deadlineMs: 50 })
  await assert.rejects(call, { code: 'DEADLINE_EXCEEDED', status: 0 })
  const change = halles.cancelOrder({ params: { orderId }, body: {}, deadlineMs: 50 })
  await assert.rejects(change, { code: 'DEADLINE_EXCEEDED', status: 0 })
})

test('a signal ends a call under way, a pause, and a call that was not sent yet', async () => {
  const reason = new Error('The page was left.')
  const left = new AbortController()
  server.answer(() => left.abort(reason))
  await assert.rejects(connect().getProduct({ params, signal: left.signal }), reason)

  const paused = new AbortController()
  server.answer((response, seen) => {
    problem(503, 'AWAY', { headers: { 'retry-after': '5' } })(response, seen)
    response.once('close', () => paused.abort(reason))
  })
  await assert.rejects(connect().getProduct({ params, signal: paused.signal }), reason)

  server.answer(json(200, {}))
  await assert.rejects(connect().getProduct({ params, signal: AbortSignal.abort(reason) }), reason)
  assert.equal(server.seen.length, 0)
})
