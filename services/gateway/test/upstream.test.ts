import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createTracer, type Span, type Tracer } from '@halles/kit/spans'
import { eventually } from '@halles/kit/testing'
import { formatTraceparent, newTrace } from '@halles/kit/trace'
import { type AnswerSink, createUpstream, type UpstreamRequest } from '../src/upstream.ts'
import { type Serve, startNeighbour } from './neighbour.ts'

const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers.reverse()) await close()
})

async function anInstance(serve: Serve) {
  const neighbour = await startNeighbour()
  closers.push(neighbour.stop)
  neighbour.behave(serve)
  return neighbour
}

function anUpstream(addresses: readonly string[], tracer?: Tracer) {
  const upstream = createUpstream('products', addresses, { tracer })
  closers.push(upstream.close)
  const ask = async (more: Partial<UpstreamRequest> = {}) => {
    const seen = { status: 0, text: '', heads: 0 }
    const sink: AnswerSink = {
      onHead(status) {
        seen.status = status
        seen.heads += 1
      },
      onData(chunk) {
        seen.text += chunk
        return undefined
      },
    }
    const { signal } = new AbortController()
    const request = { method: 'GET', target: '/', headers: {}, body: null, signal }
    await upstream.send({ ...request, deadlineMs: 5_000, isRepeatable: true, ...more }, sink)
    return seen
  }
  return { upstream, ask }
}

const well: Serve = (_request, response) => void response.end('well')
const withoutDatabase: Serve = (_request, response) => {
  response.writeHead(503, { 'content-type': 'application/problem+json' })
  response.end('{"code":"DATABASE_UNAVAILABLE"}')
}

test('a read that one instance cannot answer now is answered by another, and once', async () => {
  const [ill, other] = await Promise.all([anInstance(withoutDatabase), anInstance(well)])
  const { upstream, ask } = anUpstream([ill.url, other.url])
  for (let count = 0; count < 20; count += 1) {
    assert.deepEqual(await ask(), { status: 200, text: 'well', heads: 1 })
  }
  assert.ok(
    ill.seen.length <= 2,
    `${ill.seen.length} of 20 were sent where they cannot be answered`,
  )
  assert.deepEqual(
    upstream.instances().map(({ state, breaker }) => [state, breaker]),
    [
      ['ready', 'closed'],
      ['ready', 'closed'],
    ],
  )
})

test('each attempt has a span of its own below the request, and the service is told which', async () => {
  const [ill, other] = await Promise.all([anInstance(withoutDatabase), anInstance(well)])
  const spans: Span[] = []
  const tracer = createTracer({ ratio: 1, record: (span) => spans.push(span) })
  const { ask } = anUpstream([ill.url, other.url], tracer)
  const trace = newTrace()
  for (let count = 0; count < 20; count += 1) await ask({ trace })
  assert.ok(spans.length > 20, 'No request was tried at both instances.')
  for (const span of spans) {
    assert.deepEqual([span.kind, span.name], ['client', 'GET products'])
    assert.equal(span.trace.parentSpanId, trace.spanId)
  }
  const told = [...ill.seen, ...other.seen].map(({ headers }) => headers.traceparent)
  assert.deepEqual(told.sort(), spans.map((span) => formatTraceparent(span.trace)).sort())
})

test('what must not be repeated keeps the answer that it got', async () => {
  const [ill, other] = await Promise.all([anInstance(withoutDatabase), anInstance(withoutDatabase)])
  const { ask } = anUpstream([ill.url, other.url])
  const answer = await ask({ method: 'POST', isRepeatable: false })
  assert.deepEqual([answer.status, answer.text], [503, '{"code":"DATABASE_UNAVAILABLE"}'])
  assert.equal(ill.seen.length + other.seen.length, 1)
})

test('streams that stay open leave room for requests, and end with their client', async () => {
  const gone: string[] = []
  const instance = await anInstance((request, response) => {
    if (request.url !== '/events') return well(request, response)
    response.once('close', () => gone.push('stream'))
    response.write(': open\n\n')
  })
  const { upstream, ask } = anUpstream([instance.url])
  const clients = new AbortController()
  const count = 300
  const streams = Array.from({ length: count }, () =>
    ask({ target: '/events', deadlineMs: 0, signal: clients.signal }),
  )
  await eventually(() => instance.seen.length === count)
  assert.equal((await ask()).text, 'well')
  clients.abort()
  for (const stream of streams) await assert.rejects(stream, /went away/)
  await eventually(() => gone.length === count)
  assert.equal(upstream.instances()[0]?.inFlight, 0)
})

test('a read that takes long is also sent to another instance where the caller wants that', async () => {
  const silent: Serve = () => undefined
  const [slow, fast] = await Promise.all([anInstance(silent), anInstance(well)])
  const { upstream, ask } = anUpstream([slow.url, fast.url])
  for (let count = 0; count < 8; count += 1) {
    assert.deepEqual(await ask({ hedgeAfterMs: 20 }), { status: 200, text: 'well', heads: 1 })
  }
  await eventually(() => upstream.instances().every(({ inFlight }) => inFlight === 0))
})

test('a second attempt is told the time that the first has left, and a stream none', async () => {
  const late: Serve = (request, response) => {
    setTimeout(() => withoutDatabase(request, response), 50)
  }
  const instances = await Promise.all([anInstance(late), anInstance(late)])
  const { ask } = anUpstream(instances.map(({ url }) => url))
  await ask({ deadlineMs: 5_000 })
  const told = instances
    .flatMap(({ seen }) => seen)
    .map(({ headers }) => Number(headers['x-request-deadline-ms']))
    .sort((a, b) => b - a)
  assert.equal(told.length, 2)
  assert.equal(told[0], 5_000)
  assert.ok(Number(told[1]) <= 4_951 && Number(told[1]) > 0, `${told[1]}`)
  const [open] = [await anInstance(well)]
  await anUpstream([open.url]).ask({ deadlineMs: 0 })
  assert.equal(open.seen[0]?.headers['x-request-deadline-ms'], undefined)
})
