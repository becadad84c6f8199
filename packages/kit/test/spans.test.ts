import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../src/errors.ts'
import { annotate, createTracer, joinTrace, openSpan, runAsRoot, type Span } from '../src/spans.ts'
import { childOf, currentOrigin, newTrace, parseTraceparent, runWithContext } from '../src/trace.ts'

function aTracer(ratio = 1) {
  const spans: Span[] = []
  return { spans, tracer: createTracer({ ratio, record: (span) => spans.push(span) }) }
}

const facts = () => ({ name: 'GET tea', attributes: { 'http.request.method': 'GET' } })

test('a call is a span below the one that is served, told once, at its end', () => {
  const { spans, tracer } = aTracer()
  const trace = newTrace()
  const span = runWithContext({ trace, tracer }, () => openSpan('client'))
  assert.equal(spans.length, 0)
  span.end(facts)
  span.end(facts)
  assert.equal(spans.length, 1)
  const [told] = spans
  assert.deepEqual([told?.kind, told?.name, told?.trace], ['client', 'GET tea', span.trace])
  assert.deepEqual([span.trace.traceId, span.trace.parentSpanId], [trace.traceId, trace.spanId])
  assert.ok(told && told.endedAtMs >= told.startedAtMs)
})

test('what a caller does not sample is not told, and nobody is asked to describe it', () => {
  const { spans, tracer } = aTracer()
  const trace = tracer.join({ ...newTrace(), isSampled: false })
  assert.equal(trace.isSampled, false)
  const span = runWithContext({ trace, tracer }, () => openSpan('client'))
  span.end(() => assert.fail('It was described.'))
  assert.equal(span.trace.isSampled, false)
  assert.equal(joinTrace(tracer, trace).notes, undefined)
  assert.equal(spans.length, 0)
})

test('a call of no request tells those that it reaches not to look for its span', () => {
  assert.equal(openSpan('client').trace.isSampled, false)
  assert.equal(parseTraceparent(currentOrigin().traceparent)?.isSampled, false)
})

test('of the traces that begin here the share that is asked for is sampled', () => {
  const sampled = (ratio: number) => {
    const { tracer } = aTracer(ratio)
    return Array.from({ length: 4_000 }, () => tracer.join(undefined)).filter((t) => t.isSampled)
  }
  assert.equal(sampled(0).length, 0)
  assert.equal(sampled(1).length, 4_000)
  // Twelve standard deviations to either side.
  const { length } = sampled(0.25)
  assert.ok(length > 670 && length < 1_330, `${length} of 4,000 were sampled.`)
  const { tracer } = aTracer(0)
  assert.equal(tracer.join(newTrace()).isSampled, true, 'The caller has decided.')
})

test('a note goes to the span of the request that is served, and nowhere without one', () => {
  const { tracer } = aTracer()
  annotate('halles.payment.id', 'nobody')
  const joined = joinTrace(tracer, undefined)
  runWithContext(joined, () => annotate('halles.payment.id', '7'))
  assert.deepEqual(joined.notes, { 'halles.payment.id': '7' })
})

test('background work is a root when it calls somebody or emits something, else it is quiet', async () => {
  const { spans, tracer } = aTracer()
  await runAsRoot(tracer, 'sweeper', async () => undefined)
  assert.equal(spans.length, 0)
  await runAsRoot(tracer, 'sweeper', async () => openSpan('client').end(facts))
  const [call, root] = spans
  assert.deepEqual([root?.name, root?.kind], ['sweeper', 'internal'])
  assert.equal(root?.trace.parentSpanId, undefined)
  assert.equal(call?.trace.parentSpanId, root?.trace.spanId)
  const origin = await runAsRoot(tracer, 'emitter', async () => currentOrigin())
  const last = spans.at(-1)
  assert.equal(last?.name, 'emitter')
  assert.equal(parseTraceparent(origin.traceparent)?.spanId, last?.trace.spanId)
})

test('background work that fails is told with a code, never with the text of its error', async () => {
  const { spans, tracer } = aTracer()
  const failure = new AppError('unavailable', 'TEA_UNAVAILABLE', 'odette@example.com has it all.')
  const work = runAsRoot(tracer, 'sweeper', () => Promise.reject(failure))
  await assert.rejects(work, failure)
  assert.equal(spans[0]?.errorType, 'TEA_UNAVAILABLE')
  assert.ok(!JSON.stringify(spans).includes('odette'))
})

test('without anybody to tell, a call has ids all the same', () => {
  const trace = newTrace()
  const { trace: below } = runWithContext({ trace }, () => openSpan('client'))
  assert.deepEqual([below.traceId, below.parentSpanId], [trace.traceId, trace.spanId])
  assert.equal(joinTrace(undefined, trace).notes, undefined)
  assert.equal(childOf(trace).isSampled, true)
})
