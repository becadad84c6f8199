import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRateLimiter } from '../src/rate-limit.ts'

const rates = { write: { perSecond: 2, burst: 4 }, read: { perSecond: 10, burst: 10 } }

test('a client may burst, then is refused, then goes on at the rate', () => {
  let nowMs = 0
  const limit = createRateLimiter({ rates, factor: 1, clock: () => nowMs })
  for (let n = 0; n < 4; n += 1) assert.equal(limit('a', 'write')?.isAllowed, true)
  const refused = limit('a', 'write')
  assert.deepEqual(refused, { isAllowed: false, remaining: 0, resetSeconds: 1 })
  nowMs = 500
  assert.equal(limit('a', 'write')?.isAllowed, true)
  assert.equal(limit('a', 'write')?.isAllowed, false)
})

test('clients and classes have buckets of their own', () => {
  const limit = createRateLimiter({ rates, factor: 1, clock: () => 0 })
  for (let n = 0; n < 5; n += 1) limit('a', 'write')
  assert.equal(limit('a', 'write')?.isAllowed, false)
  assert.equal(limit('b', 'write')?.isAllowed, true)
  assert.equal(limit('a', 'read')?.isAllowed, true)
})

test('the factor multiplies every rate and zero switches the limits off', () => {
  const tenfold = createRateLimiter({ rates, factor: 10, clock: () => 0 })
  for (let n = 0; n < 40; n += 1) assert.equal(tenfold('a', 'write')?.isAllowed, true)
  assert.equal(tenfold('a', 'write')?.isAllowed, false)
  assert.equal(createRateLimiter({ rates, factor: 0 })('a', 'write'), undefined)
})
