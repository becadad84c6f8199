import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anExchange } from './exchange.ts'

const trace = '4bf92f3577b34da6a3ce929d0e0e4736'

test('a request goes on in the trace of its caller, as a span of its own', () => {
  const exchange = anExchange({ headers: { traceparent: `00-${trace}-00f067aa0ba902b7-01` } })
  assert.equal(exchange.trace.traceId, trace)
  assert.notEqual(exchange.trace.spanId, '00f067aa0ba902b7')
})

test('a trace that is none is replaced', () => {
  const exchange = anExchange({ headers: { traceparent: `00-${'0'.repeat(32)}-x-01` } })
  assert.match(exchange.trace.traceId, /^[0-9a-f]{32}$/)
  assert.notEqual(exchange.trace.traceId, '0'.repeat(32))
})

test('a caller from outside does not choose our deadlines', () => {
  const { request } = anExchange({ headers: { 'x-request-deadline-ms': '60000', accept: '*/*' } })
  assert.deepEqual(request.headers, { accept: '*/*' })
})
