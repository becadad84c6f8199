import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRateLimiter } from '../src/rate-limit.ts'
import type { SharedRates } from '../src/shared-rates.ts'

const rates = { write: { perSecond: 2, burst: 4 }, read: { perSecond: 10, burst: 10 } }

function local(options: { factor?: number; clock?: () => number } = {}) {
  const limit = createRateLimiter({ rates, factor: 1, clock: () => 0, ...options })
  return (client: string, rateClass: 'write' | 'read') => {
    const decision = limit(client, rateClass)
    assert.ok(!(decision instanceof Promise))
    return decision
  }
}

test('a client may burst, then is refused, then goes on at the rate', () => {
  let nowMs = 0
  const limit = local({ clock: () => nowMs })
  for (let n = 0; n < 4; n += 1) assert.equal(limit('a', 'write')?.isAllowed, true)
  const refused = limit('a', 'write')
  assert.deepEqual(refused, { isAllowed: false, remaining: 0, resetSeconds: 1 })
  nowMs = 500
  assert.equal(limit('a', 'write')?.isAllowed, true)
  assert.equal(limit('a', 'write')?.isAllowed, false)
})

test('clients and classes have buckets of their own', () => {
  const limit = local()
  for (let n = 0; n < 5; n += 1) limit('a', 'write')
  assert.equal(limit('a', 'write')?.isAllowed, false)
  assert.equal(limit('b', 'write')?.isAllowed, true)
  assert.equal(limit('a', 'read')?.isAllowed, true)
})

test('the factor multiplies every rate and zero switches the limits off', () => {
  const tenfold = local({ factor: 10 })
  for (let n = 0; n < 40; n += 1) assert.equal(tenfold('a', 'write')?.isAllowed, true)
  assert.equal(tenfold('a', 'write')?.isAllowed, false)
  assert.equal(local({ factor: 0 })('a', 'write'), undefined)
})

function shared(overrides: Partial<SharedRates>): SharedRates {
  return {
    take: async () => assert.fail('asked'),
    settle: async () => assert.fail('told'),
    ...overrides,
  }
}

test('an exact class is decided by what all gateways have left', async () => {
  const answers = [
    { isAllowed: true, tokens: 2.5 },
    { isAllowed: false, tokens: 0.5 },
  ]
  const limit = createRateLimiter({
    ...{ rates, factor: 1, exact: ['write'] as const, clock: () => 0 },
    shared: shared({ take: async () => answers.shift() }),
  })
  assert.deepEqual(await limit('a', 'write'), { isAllowed: true, remaining: 2, resetSeconds: 1 })
  assert.deepEqual(await limit('a', 'write'), { isAllowed: false, remaining: 0, resetSeconds: 1 })
  const here = limit('a', 'write')
  assert.ok(!(here instanceof Promise), 'nobody is asked where this gateway knows that it is over')
  assert.equal(here?.isAllowed, false)
})

test('an exact class goes on by the local bucket while the shared one is away', async () => {
  const limit = createRateLimiter({
    ...{ rates, factor: 1, exact: ['write'] as const, clock: () => 0 },
    shared: shared({ take: async () => undefined }),
  })
  for (let n = 0; n < 4; n += 1) assert.equal((await limit('a', 'write'))?.isAllowed, true)
  assert.equal((await limit('a', 'write'))?.isAllowed, false)
})

test('any other class is decided at once and goes on from what is left together', async () => {
  const told: number[] = []
  const settled = Promise.withResolvers<number[]>()
  const limit = createRateLimiter({
    ...{ rates, factor: 1, clock: () => 0 },
    shared: shared({
      settle(spendings) {
        told.push(...spendings.map(({ spent }) => spent))
        return settled.promise
      },
    }),
  })
  const decide = () => {
    const decision = limit('a', 'read')
    assert.ok(decision && !(decision instanceof Promise))
    return decision
  }
  // An eighth of the burst is told at once.
  decide()
  decide()
  assert.deepEqual(told, [2])
  decide()
  settled.resolve([4])
  await new Promise(setImmediate)
  // Four less the one that was spent while the report was on its way, less this one.
  assert.equal(decide().remaining, 2)
})

test('what all gateways together spent too much is paid back', async () => {
  let nowMs = 0
  const limit = createRateLimiter({
    ...{ rates, factor: 1, clock: () => nowMs },
    shared: shared({ settle: async (spendings) => spendings.map(() => -5) }),
  })
  await limit('a', 'read')
  await limit('a', 'read')
  await new Promise(setImmediate)
  assert.deepEqual(limit('a', 'read'), { isAllowed: false, remaining: 0, resetSeconds: 1 })
  nowMs = 500
  assert.equal((await limit('a', 'read'))?.isAllowed, false)
  nowMs = 600
  assert.equal((await limit('a', 'read'))?.isAllowed, true)
})
