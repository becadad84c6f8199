import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, test } from 'node:test'
import { createMetrics } from '../src/metrics.ts'
import { createSpanExport } from '../src/span-export.ts'
import type { Span } from '../src/spans.ts'
import { eventually, silentLogger } from '../src/testing.ts'
import { childOf, newTrace } from '../src/trace.ts'

const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers.reverse()) await close()
})

type Batch = { names: string[]; headers: NodeJS.Dict<string | string[]>; url: string; text: string }

/** A collector that answers as it is told, well at first. */
async function aCollector() {
  const batches: Batch[] = []
  const state = { answer: (response: ServerResponse) => void response.end('{}') }
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const { resourceSpans } = JSON.parse(text)
    const spans: { name: string }[] = resourceSpans[0].scopeSpans[0].spans
    const { headers, url = '' } = request
    batches.push({ names: spans.map(({ name }) => name), headers, url, text })
    state.answer(response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(
    () => server.closeAllConnections(),
    () => server.close(),
  )
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, batches, state }
}

async function anExport(endpoint: string, more: { maxWaiting?: number; timeoutMs?: number } = {}) {
  const metrics = createMetrics({ service: 'tea' })
  const spans = createSpanExport({
    endpoint,
    headers: { 'x-key': 'of the collector' },
    timeoutMs: 5_000,
    resource: { 'service.name': 'tea', 'service.instance.id': 'tea-1' },
    logger: silentLogger(),
    metrics,
    everyMs: 20,
    ...more,
  })
  const read = async (name: string, reason?: string) => {
    const { values = [] } = (await metrics.registry.getSingleMetric(name)?.get()) ?? {}
    return values.find(({ labels }) => reason === undefined || labels.reason === reason)?.value ?? 0
  }
  return { spans, read }
}

function aSpan(name: string, more: Partial<Span> = {}): Span {
  const trace = childOf(newTrace())
  return { kind: 'server', name, trace, startedAtMs: 1.5, endedAtMs: 2.25, attributes: {}, ...more }
}

test('a span is sent in the words of OTLP, with what the collector wants to see', async () => {
  const { url, batches } = await aCollector()
  const { spans, read } = await anExport(`${url}/otlp/`)
  await spans.start()
  const attributes = {
    'http.route': '/carts/{cartId}',
    count: 2,
    share: 0.5,
    ok: true,
    no: undefined,
  }
  const span = aSpan('GET /carts/{cartId}', { attributes, errorType: '503' })
  spans.add(span)
  await eventually(() => assert.equal(batches.length, 1))
  const [batch] = batches
  assert.deepEqual([batch?.url, batch?.headers['x-key']], ['/otlp/v1/traces', 'of the collector'])
  const [{ resource, scopeSpans }] = JSON.parse(batch?.text ?? '').resourceSpans
  assert.deepEqual(resource.attributes[0], { key: 'service.name', value: { stringValue: 'tea' } })
  const [sent] = scopeSpans[0].spans
  const { traceId, spanId, parentSpanId } = span.trace
  assert.deepEqual([sent.traceId, sent.spanId, sent.parentSpanId], [traceId, spanId, parentSpanId])
  assert.deepEqual([sent.kind, sent.status], [2, { code: 2 }])
  assert.deepEqual(sent.attributes, [
    { key: 'http.route', value: { stringValue: '/carts/{cartId}' } },
    { key: 'count', value: { intValue: '2' } },
    { key: 'share', value: { doubleValue: 0.5 } },
    { key: 'ok', value: { boolValue: true } },
    { key: 'error.type', value: { stringValue: '503' } },
  ])
  const took = BigInt(sent.endTimeUnixNano) - BigInt(sent.startTimeUnixNano)
  // A number of milliseconds since 1970 is exact to a quarter of a microsecond.
  assert.ok(took > 749_000n && took < 751_000n, `${took} ns`)
  assert.equal(sent.startTimeUnixNano.length, 19)
  await spans.stop()
  assert.equal(await read('telemetry_spans_sent_total'), 1)
})

test('spans wait while the collector is away, as many as there is room for', async () => {
  const { url, batches, state } = await aCollector()
  state.answer = (response) => void response.writeHead(503).end()
  const { spans, read } = await anExport(url, { maxWaiting: 3 })
  await spans.start()
  for (const name of ['a', 'b', 'c', 'd', 'e']) spans.add(aSpan(name))
  await eventually(() => assert.ok(batches.length > 0))
  assert.equal(await read('telemetry_spans_dropped_total', 'queue-full'), 2)
  assert.equal(await read('telemetry_spans_waiting'), 3)
  state.answer = (response) => void response.end('{}')
  await eventually(async () => assert.equal(await read('telemetry_spans_sent_total'), 3))
  assert.deepEqual(batches.at(-1)?.names, ['a', 'b', 'c'])
  await spans.stop()
  assert.equal(await read('telemetry_spans_waiting'), 0)
})

test('what the collector refuses for good is counted and not sent again', async () => {
  const { url, batches, state } = await aCollector()
  state.answer = (response) => void response.writeHead(400).end()
  const { spans, read } = await anExport(url)
  await spans.start()
  spans.add(aSpan('a'))
  await eventually(async () =>
    assert.equal(await read('telemetry_spans_dropped_total', 'refused'), 1),
  )
  state.answer = (response) => void response.end('{"partialSuccess":{"rejectedSpans":"1"}}')
  spans.add(aSpan('b'))
  spans.add(aSpan('c'))
  await eventually(async () => assert.equal(await read('telemetry_spans_sent_total'), 1))
  await spans.stop()
  assert.deepEqual(
    batches.flatMap(({ names }) => names),
    ['a', 'b', 'c'],
  )
  assert.equal(await read('telemetry_spans_dropped_total', 'refused'), 2)
})

test('at the end what waits is sent, and late spans are counted', async () => {
  const { url, batches } = await aCollector()
  const { spans, read } = await anExport(url)
  for (let count = 0; count < 600; count += 1) spans.add(aSpan(`span ${count}`))
  await spans.stop()
  assert.deepEqual(
    batches.map(({ names }) => names.length),
    [256, 256, 88],
  )
  assert.equal(await read('telemetry_spans_sent_total'), 600)
  spans.add(aSpan('late'))
  assert.equal(await read('telemetry_spans_dropped_total', 'not-sent'), 1)
})

test('a collector that never answers does not keep the process', async () => {
  const { url, batches, state } = await aCollector()
  state.answer = () => undefined
  const { spans, read } = await anExport(url)
  await spans.start()
  spans.add(aSpan('a'))
  await eventually(() => assert.equal(batches.length, 1))
  await spans.stop()
  assert.equal(await read('telemetry_spans_dropped_total', 'not-sent'), 1)
})
