import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicRoutes, rates } from '@halles/contracts/gen/routing'
import { leftMs, outsideDeadline, startDeadline } from '../../src/pipeline/deadline.ts'
import { anExchange } from './exchange.ts'

test('what was spent in the gateway is taken off what a service is given', () => {
  const exchange = anExchange()
  startDeadline(exchange, 3_000)
  assert.equal(leftMs(exchange, exchange.startedAtMs), 3_000)
  assert.equal(leftMs(exchange, exchange.startedAtMs + 1_200.5), 1_799)
})

test('a request whose time is over is not sent on', () => {
  const exchange = anExchange()
  startDeadline(exchange, 3_000)
  for (const nowMs of [exchange.startedAtMs + 2_999.5, exchange.startedAtMs + 9_000]) {
    assert.throws(() => leftMs(exchange, nowMs), { kind: 'timeout', code: 'DEADLINE_EXCEEDED' })
  }
})

test('the time that a client takes to send its body is its own', async () => {
  const exchange = anExchange()
  startDeadline(exchange, 3_000)
  const before = exchange.deadlineAtMs
  const { promise, resolve } = Promise.withResolvers<string>()
  setImmediate(() => resolve('body'))
  assert.equal(await outsideDeadline(exchange, promise), 'body')
  assert.ok(exchange.deadlineAtMs > before)
})

test('a route has the time of its class, and what changes something has more than a read', () => {
  for (const { rate, deadlineMs } of publicRoutes) {
    assert.equal(deadlineMs, rates[rate].deadlineMs)
  }
  for (const rate of ['write', 'checkout', 'sign-in', 'sign-up', 'webhook'] as const) {
    assert.ok(rates[rate].deadlineMs > rates.read.deadlineMs, rate)
    assert.ok(rates.page.deadlineMs > rates[rate].deadlineMs, 'a page waits for what it asks')
  }
})
