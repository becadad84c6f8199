import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../src/errors.ts'
import {
  backoffMs,
  createBulkhead,
  createCancellation,
  createRetryBudget,
  upstreamBusy,
} from '../src/resilience.ts'

const refuse = () => new AppError('unavailable', 'BUSY', 'Busy.')

test('a bulkhead runs what fits, queues what may wait and refuses the rest', async () => {
  const bulkhead = createBulkhead({ limit: 2, queueLimit: 1, refuse })
  const gates = [1, 2, 3].map(() => Promise.withResolvers<number>())
  const runs = gates.map(({ promise }) => bulkhead.run(() => promise))
  assert.deepEqual([bulkhead.running(), bulkhead.waiting()], [2, 1])
  await assert.rejects(
    bulkhead.run(async () => 0),
    { code: 'BUSY' },
  )
  gates.forEach(({ resolve }, index) => {
    resolve(index)
  })
  assert.deepEqual(await Promise.all(runs), [0, 1, 2])
  assert.deepEqual([bulkhead.running(), bulkhead.waiting()], [0, 0])
})

test('work that fails frees its place in the bulkhead', async () => {
  const bulkhead = createBulkhead({ limit: 1, queueLimit: 0, refuse })
  await assert.rejects(
    bulkhead.run(() => Promise.reject(new Error('broken'))),
    /broken/,
  )
  assert.equal(await bulkhead.run(async () => 'next'), 'next')
})

test('a waiter whose caller went away leaves the queue and its work never runs', async () => {
  const bulkhead = createBulkhead({ limit: 1, queueLimit: 1, refuse })
  const first = Promise.withResolvers<void>()
  const running = bulkhead.run(() => first.promise)
  const caller = new AbortController()
  const started: string[] = []
  const start = (name: string) => async () => {
    started.push(name)
  }
  const waiting = bulkhead.run(start('gone'), { signal: caller.signal })
  caller.abort(new Error('The client went away.'))
  await assert.rejects(waiting, { message: 'The client went away.' })
  assert.equal(bulkhead.waiting(), 0)
  const next = bulkhead.run(start('next'))
  first.resolve()
  await Promise.all([running, next])
  assert.deepEqual(started, ['next'])
  assert.equal(bulkhead.running(), 0)
  const late = bulkhead.run(start('late'), { signal: caller.signal })
  await assert.rejects(late, { message: 'The client went away.' })
})

test('who waits longer than allowed is refused, and all who wait can be turned away', async () => {
  const bulkhead = createBulkhead({ limit: 1, queueLimit: 2, refuse })
  assert.equal(bulkhead.enter(), undefined)
  await assert.rejects(bulkhead.enter(undefined, 1) ?? assert.fail(), { code: 'BUSY' })
  const waiting = bulkhead.run(async () => 'late')
  bulkhead.refuseWaiting(new AppError('unavailable', 'GONE', 'Gone.'))
  await assert.rejects(waiting, { code: 'GONE' })
  assert.deepEqual([bulkhead.running(), bulkhead.waiting()], [1, 0])
})

test('who waits for room besides the limit is let in when there is some', async () => {
  const room = { is: false }
  const bulkhead = createBulkhead({ limit: 5, queueLimit: 5, refuse, hasRoom: () => room.is })
  const waiting = bulkhead.run(async () => 'in')
  assert.deepEqual([bulkhead.running(), bulkhead.waiting()], [0, 1])
  room.is = true
  bulkhead.admit()
  assert.equal(await waiting, 'in')
})

test('a retry budget allows retries as a share of requests', () => {
  const budget = createRetryBudget({ ratio: 0.5, reserve: 2 })
  assert.deepEqual([budget.withdraw(), budget.withdraw(), budget.withdraw()], [true, true, false])
  budget.deposit()
  assert.equal(budget.withdraw(), false)
  budget.deposit()
  assert.equal(budget.withdraw(), true)
})

test('the pause before a retry doubles up to its maximum', () => {
  const options = { baseMs: 100, maxMs: 1_000, random: () => 1 }
  assert.deepEqual(
    [1, 2, 3, 4, 5, 1_000].map((attempt) => backoffMs(attempt, options)),
    [100, 200, 400, 800, 1_000, 1_000],
  )
  assert.equal(backoffMs(3, { ...options, random: () => 0 }), 0)
})

test('work that is cancelled is told once, and a waiter leaves the queue by it', async () => {
  const cancellation = createCancellation()
  const reason = new Error('gone')
  let told = 0
  const ignored = () => {
    told += 10
  }
  cancellation.addEventListener('abort', () => {
    told += 1
  })
  cancellation.addEventListener('abort', ignored)
  cancellation.removeEventListener('abort', ignored)
  const places = createBulkhead({ limit: 1, queueLimit: 1, refuse: () => upstreamBusy('products') })
  assert.equal(places.enter(), undefined)
  const turn = places.enter(cancellation)
  assert.equal(places.waiting(), 1)
  cancellation.cancel(reason)
  cancellation.cancel(new Error('again'))
  assert.equal(told, 1)
  await assert.rejects(async () => turn, reason)
  assert.equal(places.waiting(), 0)
  assert.throws(() => places.enter(cancellation), reason)
})
