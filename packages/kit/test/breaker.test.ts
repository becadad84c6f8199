import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBreaker } from '../src/breaker.ts'

function aBreaker() {
  const time = { nowMs: 0 }
  const breaker = createBreaker({
    minimumCalls: 4,
    failureRatio: 0.5,
    windowMs: 1_000,
    openMs: 100,
    clock: () => time.nowMs,
  })
  return { breaker, time }
}

function fail(breaker: ReturnType<typeof createBreaker>, times: number) {
  for (let count = 0; count < times; count += 1) breaker.failure()
}

test('a breaker opens when half of enough calls failed, and not before', () => {
  const { breaker } = aBreaker()
  fail(breaker, 3)
  assert.equal(breaker.state(), 'closed')
  breaker.failure()
  assert.equal(breaker.state(), 'open')
  assert.equal(breaker.allow(), false)
})

test('failures of an older window do not open a breaker', () => {
  const { breaker, time } = aBreaker()
  fail(breaker, 3)
  time.nowMs = 1_500
  breaker.failure()
  assert.equal(breaker.state(), 'closed')
})

test('an open breaker lets one probe through after its pause and closes when that works', () => {
  const { breaker, time } = aBreaker()
  fail(breaker, 4)
  time.nowMs = 99
  assert.equal(breaker.allow(), false)
  time.nowMs = 100
  assert.equal(breaker.allow(), true)
  assert.equal(breaker.allow(), false)
  breaker.success()
  assert.equal(breaker.state(), 'closed')
  assert.equal(breaker.allow(), true)
})

test('a probe that fails opens the breaker again; one that was cancelled leaves room for another', () => {
  const { breaker, time } = aBreaker()
  fail(breaker, 4)
  time.nowMs = 100
  assert.equal(breaker.allow(), true)
  breaker.release()
  assert.equal(breaker.allow(), true)
  breaker.failure()
  assert.equal(breaker.state(), 'open')
  time.nowMs = 150
  assert.equal(breaker.allow(), false)
})

test('a breaker opens and closes at once when others know better', () => {
  const { breaker, time } = aBreaker()
  breaker.trip()
  assert.equal(breaker.allow(), false)
  time.nowMs += 11
  assert.equal(breaker.allow(), false)
  assert.equal(breaker.allow(true), true, 'a tenth of the pause is enough where it is urgent')
  assert.equal(breaker.allow(true), false, 'one call at a time')
  breaker.reset()
  assert.equal(breaker.state(), 'closed')
  assert.equal(breaker.allow(), true)
})
