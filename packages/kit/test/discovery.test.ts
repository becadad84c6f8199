import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createDiscovery } from '../src/discovery.ts'

function aDiscovery(addresses: readonly string[]) {
  const time = { nowMs: 1_000 }
  const discovery = createDiscovery(addresses, {
    failureThreshold: 2,
    basePauseMs: 100,
    maxPauseMs: 350,
    clock: () => time.nowMs,
    random: () => 0.5,
  })
  const failOnce = () => {
    const instance = discovery.pick()
    discovery.started(instance)
    discovery.finished(instance, 'failed')
    return instance
  }
  return { discovery, time, failOnce }
}

test('of two instances the one with fewer calls in flight is chosen', () => {
  const discovery = createDiscovery(['a', 'b'])
  const busy = discovery.pick()
  discovery.started(busy)
  for (let count = 0; count < 20; count += 1) {
    assert.notEqual(discovery.pick().address, busy.address)
  }
})

test('idle instances share the calls', () => {
  const discovery = createDiscovery(['a', 'b', 'c'])
  const picked = new Set(Array.from({ length: 200 }, () => discovery.pick().address))
  assert.deepEqual([...picked].sort(), ['a', 'b', 'c'])
})

test('an instance that fails repeatedly is left alone, for longer each time, until a call works', () => {
  const { discovery, time, failOnce } = aDiscovery(['a'])
  const availability = () => discovery.instances().map(({ isAvailable }) => isAvailable)
  failOnce()
  assert.deepEqual(availability(), [true])
  failOnce()
  assert.deepEqual(availability(), [false])
  const pauses = [100, 200, 350, 350]
  for (const [index, pauseMs] of pauses.entries()) {
    time.nowMs += pauseMs - 1
    assert.deepEqual(availability(), [false], `pause ${index} is not over`)
    time.nowMs += 1
    assert.deepEqual(availability(), [true], `pause ${index} is over`)
    failOnce()
  }
  const instance = discovery.pick()
  discovery.started(instance)
  discovery.finished(instance, 'worked')
  assert.deepEqual(availability(), [true])
  failOnce()
  assert.deepEqual(availability(), [true])
})

test('calls go to the other instances while one is left alone', () => {
  const { discovery } = aDiscovery(['a', 'b'])
  const [a] = [discovery.pick()]
  for (let count = 0; count < 2; count += 1) {
    discovery.started(a)
    discovery.finished(a, 'failed')
  }
  for (let count = 0; count < 20; count += 1) assert.notEqual(discovery.pick(), a)
})

test('an instance that comes back is tried by one call at a time', () => {
  const { discovery, time, failOnce } = aDiscovery(['a'])
  failOnce()
  failOnce()
  time.nowMs += 100
  discovery.started(discovery.pick())
  assert.equal(discovery.instances()[0]?.isAvailable, false)
})

test('without any available instance an ejected one is tried; without any at all the call fails', () => {
  const { discovery, failOnce } = aDiscovery(['a'])
  failOnce()
  const ejected = failOnce()
  assert.equal(discovery.pick(), ejected)
  assert.throws(() => discovery.pick(new Set([ejected])), { code: 'NO_INSTANCE' })
  assert.throws(() => createDiscovery([]).pick(), { kind: 'unavailable' })
})

test('new addresses keep the record of those that stay', () => {
  const { discovery, failOnce } = aDiscovery(['a'])
  failOnce()
  discovery.update(['b', 'a', 'a'])
  const records = discovery.instances().map((i) => [i.address, i.consecutiveFailures])
  assert.deepEqual(records, [
    ['b', 0],
    ['a', 1],
  ])
})
