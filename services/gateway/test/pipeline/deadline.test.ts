import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicRoutes, rates } from '@halles/contracts/gen/routing'
import { leftMs, outsideDeadline, startDeadline } from '../../src/pipeline/deadline.ts'
import { anExchange } from './exchange.ts'

// A clock of whole milliseconds: what a real one shows is not exact once something was added to it.
const startedAtMs = 20_000
const aTimedExchange = () => Object.assign(anExchange(), { startedAtMs })

test('what was spent in the gateway is taken off what a service is given', () => {
  const exchange = aTimedExchange()
  startDeadline(exchange, 3_000)
  assert.equal(leftMs(exchange, startedAtMs), 3_000)
  assert.equal(leftMs(exchange, startedAtMs + 1_200.5), 1_799)
})

test('a request whose time is over is not sent on', () => {
  const exchange = aTimedExchange()
  startDeadline(exchange, 3_000)
  for (const nowMs of [startedAtMs + 2_999.5, startedAtMs + 9_000]) {
    assert.throws(() => leftMs(exchange, nowMs), { kind: 'timeout', code: 'DEADLINE_EXCEEDED' })
  }
})

test('the time that a client takes to send its body is its own', async (t) => {
  const exchange = aTimedExchange()
  startDeadline(exchange, 3_000)
  let nowMs = startedAtMs + 100
  t.mock.method(performance, 'now', () => nowMs)
  const { promise, resolve } = Promise.withResolvers<string>()
  const sent = outsideDeadline(exchange, promise)
  nowMs += 5_000
  resolve('body')
  assert.equal(await sent, 'body')
  assert.equal(leftMs(exchange), 2_900)
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
