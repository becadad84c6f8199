import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { Cancellation } from '@halles/kit/resilience'
import { eventually } from '@halles/kit/testing'
import { formatTraceparent } from '@halles/kit/trace'
import { startDeadline } from '../../src/pipeline/deadline.ts'
import { passThrough } from '../../src/pipeline/pass-through.ts'
import { anUpstream, serveStep } from './exchange.ts'

const target = '/api/v1/carts/1?x=1'

test('a request goes on with its body, its trace and the time that is left', async (t) => {
  const { upstream, asked } = anUpstream()
  const { url } = await serveStep(t, (exchange) => {
    startDeadline(exchange, 3_000)
    return passThrough(exchange, { upstream, target, headers: { a: 'b' }, isRepeatable: false })
  })
  const answer = await fetch(url, { method: 'POST', body: 'tea' })
  assert.equal(answer.status, 200)
  const [request] = asked
  assert.equal(request?.target, target)
  assert.equal(request?.body?.toString(), 'tea')
  assert.equal(request?.isRepeatable, false)
  assert.ok(request && request.deadlineMs > 0 && request.deadlineMs <= 3_000)
  const { headers, trace } = request
  assert.equal(headers.a, 'b')
  assert.equal(trace && formatTraceparent(trace), answer.headers.get('traceparent'))
})

test('what has no time left is not sent', async (t) => {
  const { upstream, asked } = anUpstream()
  const { url } = await serveStep(t, (exchange) => {
    startDeadline(exchange, -1)
    return passThrough(exchange, { upstream, target, headers: {}, isRepeatable: true })
  })
  assert.equal((await fetch(url)).status, 504)
  assert.deepEqual(asked, [])
})

test('a client that goes away ends the work of a service', async (t) => {
  const asked = Promise.withResolvers<Cancellation>()
  const { upstream } = anUpstream(({ signal }) => {
    asked.resolve(signal)
    return new Promise(() => undefined)
  })
  const { port } = await serveStep(t, (exchange) =>
    passThrough(exchange, { upstream, target, headers: {}, isRepeatable: true }),
  )
  const socket = connect(port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nhost: shop\r\n\r\n')
  const signal = await asked.promise
  assert.equal(signal.aborted, false)
  const cancelled = new Promise<void>((resolve) => signal.addEventListener('abort', resolve))
  socket.destroy()
  await cancelled
  assert.equal(signal.reason.code, 'CLIENT_GONE')
})

test('a client that reads slowly slows the service down', async (t) => {
  const part = Buffer.alloc(1024 * 1024)
  const parts = 64
  let sent = 0
  const { upstream } = anUpstream(async (_request, sink) => {
    sink.onHead(200, {})
    for (; sent < parts; sent += 1) await sink.onData(part)
  })
  const { port } = await serveStep(t, (exchange) =>
    passThrough(exchange, { upstream, target, headers: {}, isRepeatable: true }),
  )
  const socket = connect(port, '127.0.0.1').pause()
  t.after(() => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n')
  await eventually(() => sent > 0)
  let before = -1
  // What fits into the buffers of the system goes out; then nothing moves until somebody reads.
  await eventually(
    () => {
      const isStill = sent === before
      before = sent
      return isStill
    },
    { intervalMs: 100 },
  )
  assert.ok(sent < parts)
  let size = 0
  for await (const chunk of socket) size += (chunk as Buffer).length
  assert.ok(size >= parts * part.length)
})

test('an event stream has no deadline, and ends when the gateway does', async (t) => {
  const { upstream, asked } = anUpstream(async ({ signal }, sink) => {
    sink.onHead(200, { 'content-type': 'text/event-stream' })
    sink.onData(Buffer.from('data: {}\n\n'))
    await new Promise<void>((resolve) => signal.addEventListener('abort', resolve))
    throw signal.reason
  })
  const closing = new AbortController()
  const { url } = await serveStep(t, (exchange) => {
    const streamUntil = closing.signal
    return passThrough(exchange, { upstream, target, headers: {}, isRepeatable: true, streamUntil })
  })
  const reader = (await fetch(url)).body?.getReader()
  await reader?.read()
  assert.equal(asked[0]?.deadlineMs, 0)
  const ended = assert.rejects(async () => reader?.read())
  closing.abort()
  await ended
})

test('an answer is the same bytes, whether it comes whole, in parts, without a length or a body', async (t) => {
  const bytes = Buffer.concat([Buffer.from('thé €'), Buffer.alloc(20_000, 0xff)])
  const small = bytes.subarray(0, 300)
  const length = (body: Buffer) => ({ 'content-length': String(body.length) })
  const answers: Record<string, { headers: Record<string, string>; parts: Buffer[] }> = {
    '/small': { headers: length(small), parts: [small] },
    '/large': { headers: length(bytes), parts: [bytes] },
    '/parts': { headers: length(bytes), parts: [small, bytes.subarray(300)] },
    '/chunked': { headers: {}, parts: [small] },
    '/none': { headers: length(Buffer.alloc(0)), parts: [] },
  }
  const { upstream } = anUpstream(async (request, sink) => {
    const { headers, parts } = answers[request.target] ?? { headers: {}, parts: [] }
    sink.onHead(200, headers)
    for (const part of parts) await sink.onData(part)
  })
  const { url } = await serveStep(t, (exchange) => {
    const path = exchange.request.url ?? ''
    return passThrough(exchange, { upstream, target: path, headers: {}, isRepeatable: true })
  })
  for (const [path, { headers, parts }] of Object.entries(answers)) {
    const answer = await fetch(url + path)
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), Buffer.concat(parts), path)
    assert.equal(answer.headers.get('content-length'), headers['content-length'] ?? null, path)
  }
})
