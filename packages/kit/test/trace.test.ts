import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isUuid, uuidv7 } from '../src/ids.ts'
import {
  childOf,
  currentOrigin,
  currentTrace,
  formatTraceparent,
  newTrace,
  parseDeadline,
  parseTraceparent,
  remainingMs,
  runWithContext,
} from '../src/trace.ts'

const example = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

test('a traceparent survives reading and writing', () => {
  const trace = parseTraceparent(example)
  assert.ok(trace)
  assert.equal(formatTraceparent(trace), example)
  assert.deepEqual(parseTraceparent(formatTraceparent(newTrace()))?.isSampled, true)
})

for (const bad of [
  '',
  'x',
  example.toUpperCase(),
  example.replace('00-', 'ff-'),
  `${example}-more`,
  `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
  `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`,
]) {
  test(`a malformed traceparent is ignored: ${bad}`, () => {
    assert.equal(parseTraceparent(bad), undefined)
  })
}

test('a child keeps the trace and has a span of its own', () => {
  const parent = newTrace()
  const child = childOf(parent)
  assert.equal(child.traceId, parent.traceId)
  assert.notEqual(child.spanId, parent.spanId)
  assert.match(child.spanId, /^[0-9a-f]{16}$/)
})

test('the trace is known in everything that its work awaits, and nowhere else', async () => {
  const trace = newTrace()
  const seen = await runWithContext({ trace }, async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return currentTrace()
  })
  assert.equal(seen, trace)
  assert.equal(currentTrace(), undefined)
})

test('what a request emits belongs to its trace, and nothing but the request caused it', () => {
  const trace = newTrace()
  assert.deepEqual(runWithContext({ trace }, currentOrigin), {
    traceparent: formatTraceparent(trace),
    correlationid: trace.traceId,
  })
})

test('what the handling of a message emits belongs to its flow, and the message caused it', () => {
  const trace = newTrace()
  const handled = { id: uuidv7(), correlationId: 'the flow' }
  assert.deepEqual(runWithContext({ trace, handled }, currentOrigin), {
    traceparent: formatTraceparent(trace),
    correlationid: 'the flow',
    causationid: handled.id,
  })
})

test('what a timer emits begins a flow of its own', () => {
  const [one, other] = [currentOrigin(), currentOrigin()]
  assert.ok(parseTraceparent(one.traceparent)?.traceId === one.correlationid)
  assert.notEqual(one.correlationid, other.correlationid)
  assert.equal('causationid' in one, false)
})

test('a call may take no longer than the request being served has left', () => {
  const deadlineAtMs = parseDeadline('50')
  assert.ok(deadlineAtMs)
  const left = runWithContext({ trace: newTrace(), deadlineAtMs }, () => remainingMs(5_000))
  assert.ok(left <= 50)
  assert.equal(remainingMs(5_000), 5_000)
  for (const bad of ['-1', '1e9', 'soon', '']) assert.equal(parseDeadline(bad), undefined)
})

test('ids are UUIDs of version 7 that sort by their time', () => {
  const ids = [1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000].map((ms) => uuidv7(ms))
  assert.deepEqual(ids.toSorted(), ids)
  for (const id of [...ids, uuidv7()]) {
    assert.ok(isUuid(id), id)
    assert.equal(id[14], '7')
  }
  assert.equal(new Set(Array.from({ length: 1_000 }, () => uuidv7(1))).size, 1_000)
  for (const bad of ['', 'x', `${ids[0]}0`, `${ids[0]?.slice(0, -1)}g`]) assert.ok(!isUuid(bad))
})
