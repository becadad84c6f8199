import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, silentLogger } from '@halles/kit/testing'
import type { VitalsReport } from '@halles/kit/vitals'
import { createCollector, type Known } from '../../src/system/collector.ts'
import { createLatest } from '../../src/system/latest.ts'
import { aReport } from './reports.ts'

/** A collector whose seconds pass when the test says so. */
function createWatched() {
  const closing = new AbortController()
  const state = { timeMs: 0, reads: 0, report: undefined as VitalsReport | null | undefined }
  let next = Promise.withResolvers<void>()
  const instance = (service: string): Known => ({
    ...{ service, address: `http://${service}`, state: 'ready' },
    async read() {
      state.reads += 1
      if (service === 'gateway') return aReport('gateway-1', state.timeMs / 1_000)
      return state.report
    },
  })
  let known = [instance('gateway'), instance('carts')]
  const collector = createCollector({
    ...{ self: 'gateway-1', logger: silentLogger(), closing: closing.signal },
    known: () => known,
    messages: async () => ({ queues: [], topics: [], deadLetters: 0 }),
    processes: undefined,
    clock: () => state.timeMs,
    now: () => state.timeMs,
    pause: () => next.promise,
  })
  return {
    ...{ collector, closing, state, instance },
    know(some: Known[]) {
      known = some
    },
    pass(ms = 1_000) {
      state.timeMs += ms
      next.resolve()
      next = Promise.withResolvers()
    },
  }
}

const never = new AbortController().signal
const read = (pictures: AsyncIterable<unknown>) => pictures[Symbol.asyncIterator]()

test('one look a second serves all who watch, and none is made when nobody does', async () => {
  const { collector, state, pass } = createWatched()
  assert.equal(state.reads, 0)
  const leaving = new AbortController()
  const watchers = [1, 2, 3].map(() => read(collector.watch(leaving.signal)))
  for (const watcher of watchers) assert.equal((await watcher.next()).done, false)
  assert.equal(state.reads, 2)
  pass()
  for (const watcher of watchers) assert.equal((await watcher.next()).done, false)
  assert.equal(state.reads, 4)
  leaving.abort()
  for (const watcher of watchers) assert.equal((await watcher.next()).done, true)
  // For some seconds more, for who reloads the page.
  pass()
  await eventually(() => state.reads === 6)
  pass(11_000)
  await new Promise(setImmediate)
  pass()
  await new Promise(setImmediate)
  assert.equal(state.reads, 6)
  const again = read(collector.watch(never))
  await again.next()
  assert.equal(state.reads, 8)
})

test('only so many may watch, and who leaves makes room', async () => {
  const { collector } = createWatched()
  const leaving = new AbortController()
  collector.watch(leaving.signal)
  for (let count = 1; count < 32; count += 1) collector.watch(never)
  assert.throws(() => collector.watch(never), { code: 'TOO_MANY_WATCHERS', kind: 'unavailable' })
  leaving.abort()
  const last = collector.watch(never)
  assert.throws(() => collector.watch(never), { code: 'TOO_MANY_WATCHERS' })
  const iterator = read(last)
  await iterator.next()
  await iterator.return?.()
  collector.watch(never)
})

test('a gateway that stops ends every watch', async () => {
  const { collector, closing } = createWatched()
  const watcher = read(collector.watch(never))
  await watcher.next()
  const end = watcher.next()
  closing.abort()
  assert.equal((await end).done, true)
})

test('an instance that does not answer is told by its callers, a gateway by its silence', async () => {
  const { collector, instance, know, state } = createWatched()
  const silent = { ...instance('gateway'), address: 'http://other', read: async () => undefined }
  know([instance('gateway'), silent, { ...instance('carts'), state: 'unhealthy' }])
  state.report = undefined
  const { value } = await read(collector.watch(never)).next()
  const { parts } = value as Awaited<ReturnType<typeof readPicture>>
  assert.deepEqual(
    parts.flatMap(({ instances }) => instances.map(({ id, state: health }) => [id, health])),
    [
      ['http://carts', 'unhealthy'],
      ['gateway-1', 'ready'],
      ['http://other', 'unhealthy'],
    ],
  )
})

test('who keeps no account of itself is in the picture without numbers', async () => {
  const { collector, state } = createWatched()
  state.report = null
  const { parts } = await readPicture(collector)
  const carts = parts.find(({ service }) => service === 'carts')
  assert.deepEqual(carts?.instances[0]?.figures, {})
  assert.equal(carts?.instances[0]?.state, 'ready')
})

test('a look without watchers finds an instance, and serves who looks again', async () => {
  const { collector, state } = createWatched()
  state.report = aReport('carts-1', 1)
  await collector.look()
  assert.equal(collector.find('carts-1')?.service, 'carts')
  assert.equal(collector.points('carts-1').length, 1)
  await collector.look()
  assert.equal(state.reads, 2)
  assert.deepEqual(collector.points('nobody'), [])
})

async function readPicture({ watch }: ReturnType<typeof createWatched>['collector']) {
  for await (const picture of watch(never)) return picture
  throw new Error('There was no picture.')
}

test('a slow answer is waited for within a bound, asked for once, and stands for a while', async () => {
  let timeMs = 0
  const failures: unknown[] = []
  let answer = Promise.withResolvers<number>()
  let asked = 0
  const latest = createLatest(
    () => {
      asked += 1
      return answer.promise
    },
    { waitMs: 1, clock: () => timeMs, onFailure: (error) => failures.push(error) },
  )
  assert.deepEqual([await latest(), await latest(), asked], [undefined, undefined, 1])
  answer.resolve(7)
  assert.equal(await latest(), 7)
  answer = Promise.withResolvers()
  assert.equal(await latest(), 7)
  timeMs = 11_000
  assert.equal(await latest(), undefined)
  answer.reject(new Error('away'))
  assert.equal(await latest(), undefined)
  assert.equal(failures.length, 1)
})
