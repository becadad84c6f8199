import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { createHttpClient, type HttpClientOptions } from '../src/http-client.ts'
import { createRetryBudget } from '../src/resilience.ts'
import { eventually, freePort } from '../src/testing.ts'
import { newTrace, runWithContext } from '../src/trace.ts'

const closers: (() => Promise<unknown>)[] = []
after(() => Promise.all(closers.map((close) => close())))

async function serve(listener: RequestListener) {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function aClient(addresses: HttpClientOptions['addresses'], more: Partial<HttpClientOptions> = {}) {
  const client = createHttpClient({ name: 'products', addresses, deadlineMs: 5_000, ...more })
  closers.push(() => client.close())
  return client
}

const nobody = async () => `http://127.0.0.1:${await freePort()}`

test('an answer comes back with its status and JSON body, whatever the status', async () => {
  const address = await serve((request, answer) => {
    answer.writeHead(409, {
      'content-type': 'application/problem+json',
      'x-method': request.method,
    })
    request.pipe(answer)
  })
  const body = { quantity: 2 }
  const answered = await aClient([address]).request({ method: 'PUT', path: '/a', body })
  assert.deepEqual([answered.status, answered.body], [409, body])
  assert.equal(answered.headers['x-method'], 'PUT')
})

test('trace and remaining time travel with a call', async () => {
  const address = await serve((request, answer) => {
    answer.writeHead(200, { 'content-type': 'application/json' })
    answer.end(JSON.stringify(request.headers))
  })
  const trace = newTrace()
  const client = aClient([address])
  const { body } = await runWithContext({ trace, deadlineAtMs: performance.now() + 1_000 }, () =>
    client.request({ method: 'GET', path: '/' }),
  )
  const headers = body as Record<string, string>
  assert.ok(headers.traceparent?.includes(trace.traceId))
  assert.ok(Number(headers['x-request-deadline-ms']) <= 1_000)
})

test('a call goes to another instance when one refuses connections, even when it must not repeat', async () => {
  let served = 0
  const address = await serve((_request, answer) => {
    served += 1
    answer.end('done')
  })
  const client = aClient([await nobody(), address])
  for (let count = 0; count < 10; count += 1) {
    assert.equal((await client.request({ method: 'POST', path: '/' })).body, 'done')
  }
  assert.equal(served, 10)
})

test('an instance that refuses connections is ejected at once', async () => {
  const client = aClient([await nobody()])
  await assert.rejects(client.request({ method: 'GET', path: '/' }), {
    code: 'UPSTREAM_UNAVAILABLE',
    kind: 'unavailable',
    retryAfterSeconds: 2,
  })
  assert.deepEqual(
    client.instances().map(({ state, inFlight, breaker }) => [state, inFlight, breaker]),
    [['ejected', 0, 'open']],
  )
})

test('a safe call is repeated elsewhere on 503 within the budget, any other is not', async () => {
  let calls = 0
  const refuse: RequestListener = (_request, answer) => {
    calls += 1
    answer.writeHead(503).end()
  }
  const budget = createRetryBudget({ ratio: 0, reserve: 3 })
  const addresses = await Promise.all([serve(refuse), serve(refuse), serve(refuse)])
  const client = aClient(addresses, { retryBudget: budget })
  const count = async (method: string) => {
    calls = 0
    assert.equal((await client.request({ method, path: '/' })).status, 503)
    return calls
  }
  assert.deepEqual(
    [await count('POST'), await count('GET'), await count('GET'), await count('GET')],
    [1, 3, 2, 1],
  )
})

test('a service that says itself that it cannot keeps its place', async () => {
  const address = await serve((_request, answer) => {
    answer.writeHead(503, { 'content-type': 'application/problem+json' })
    answer.end('{"code":"DATABASE_UNAVAILABLE"}')
  })
  const client = aClient([address])
  for (let count = 0; count < 20; count += 1) {
    assert.equal((await client.request({ method: 'GET', path: '/' })).status, 503)
  }
  assert.equal(client.instances()[0]?.state, 'ready')
})

test('a read that takes long is also sent to another instance, and the first answer counts', async () => {
  const gone = Promise.withResolvers<void>()
  const slow = await serve((request) => {
    request.socket.once('close', () => gone.resolve())
  })
  const fast = await serve((_request, answer) => void answer.end('fast'))
  const client = aClient([slow, fast])
  const read = () => client.request({ method: 'GET', path: '/', hedgeAfterMs: 20 })
  // By chance the slow one is asked first; the hedge answers all the same.
  for (let count = 0; count < 8; count += 1) assert.equal((await read()).body, 'fast')
  await gone.promise
  await eventually(() => client.instances().every(({ inFlight }) => inFlight === 0))
})

test('a call that nobody answers in time is given up', async () => {
  let received = 0
  const address = await serve(() => {
    received += 1
  })
  // Long enough for the call to arrive on a machine that is busy.
  const call = aClient([address]).request({ method: 'POST', path: '/', deadlineMs: 1_000 })
  await assert.rejects(call, { code: 'UPSTREAM_UNAVAILABLE' })
  assert.equal(received, 1)
})

test('a breaker keeps calls away from an instance that fails', async () => {
  let calls = 0
  const address = await serve((_request, answer) => {
    calls += 1
    answer.writeHead(503).end()
  })
  const client = aClient([address])
  for (let count = 0; count < 10; count += 1) {
    assert.equal((await client.request({ method: 'POST', path: '/' })).status, 503)
  }
  await assert.rejects(client.request({ method: 'POST', path: '/' }), {
    code: 'UPSTREAM_UNAVAILABLE',
  })
  assert.equal(calls, 10)
})

test('calls beyond what may run and wait are refused, and a cancelled call says why', async () => {
  const arrived = Promise.withResolvers<void>()
  const address = await serve(() => arrived.resolve())
  const client = aClient([address], { maxInFlight: 1, maxWaiting: 0 })
  const cancel = new AbortController()
  const first = client.request({ method: 'GET', path: '/', signal: cancel.signal })
  await arrived.promise
  await assert.rejects(client.request({ method: 'GET', path: '/' }), { code: 'UPSTREAM_BUSY' })
  cancel.abort(new Error('no longer wanted'))
  await assert.rejects(first, /no longer wanted/)
})
