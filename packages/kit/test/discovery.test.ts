import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBreaker } from '../src/breaker.ts'
import { createDiscovery, type DiscoveryOptions, type Instance } from '../src/discovery.ts'

type Named = Instance<string>

function aDiscovery(addresses: readonly string[], options: Partial<DiscoveryOptions<string>> = {}) {
  const time = { nowMs: 0 }
  const clock = () => time.nowMs
  const closed: string[] = []
  const discovery = createDiscovery<string>({
    connect: (address) => `to ${address}`,
    retired: ({ address }) => closed.push(address),
    createBreaker: () => createBreaker({ minimumCalls: 2, openMs: 1_000, clock }),
    maxInFlight: 2,
    isProbed: false,
    clock,
    ...options,
  })
  discovery.update(addresses)
  const pick = (tried?: readonly Named[], isRepeatable = true) =>
    discovery.pick({ isRepeatable, tried })
  const start = (tried?: readonly Named[], isRepeatable = true) => {
    const instance = pick(tried, isRepeatable)
    assert.ok(instance, 'an instance is found')
    discovery.started(instance, false)
    const { epoch } = instance
    const end = (verdict: Parameters<typeof discovery.judge>[2]) => {
      discovery.judge(instance, epoch, verdict)
      discovery.finished(instance, false)
    }
    return { instance, end }
  }
  const find = (address: string) => {
    let found: Named | undefined
    discovery.each((instance) => {
      if (instance.address === address) found = instance
    })
    assert.ok(found)
    return found
  }
  const states = () => discovery.instances().map(({ state }) => state)
  return { discovery, time, closed, pick, start, find, states }
}

test('of two instances the one with fewer calls in flight is chosen', () => {
  const { start } = aDiscovery(['a', 'b'])
  const { instance: busy } = start()
  for (let count = 0; count < 20; count += 1) {
    const { instance, end } = start()
    assert.notEqual(instance, busy)
    end('worked')
  }
})

test('every instance is chosen sooner or later, with a connection of its own', () => {
  const { pick } = aDiscovery(['a', 'b', 'c'])
  const picked = new Set(Array.from({ length: 200 }, () => pick()?.connection))
  assert.deepEqual([...picked].toSorted(), ['to a', 'to b', 'to c'])
})

test('a draining instance is asked only while no other is ready', () => {
  const { discovery, pick, find } = aDiscovery(['a', 'b'])
  discovery.report(find('a'), 'draining')
  for (let count = 0; count < 20; count += 1) assert.equal(pick()?.address, 'b')
  assert.equal(pick([find('b')])?.address, 'a')
  discovery.report(find('b'), 'unhealthy')
  assert.equal(pick()?.address, 'a')
  discovery.report(find('b'), 'ready')
  assert.equal(pick()?.address, 'b')
})

test('without an instance that answers its probes nobody is chosen', () => {
  const { discovery, pick, find, states } = aDiscovery(['a', 'b'])
  for (const address of ['a', 'b']) discovery.report(find(address), 'unhealthy')
  assert.equal(pick(), undefined)
  assert.deepEqual([discovery.hasChoice(), discovery.isServing()], [false, false])
  assert.deepEqual(states(), ['unhealthy', 'unhealthy'])
})

test('an instance that refuses is asked after the others for a moment', () => {
  const { time, start, states } = aDiscovery(['a', 'b'], { maxInFlight: 10 })
  const { instance: refusing, end } = start()
  end('refused')
  const others = [1, 2, 3].map(() => start())
  for (const { instance } of others) assert.notEqual(instance, refusing)
  assert.deepEqual(states(), ['ready', 'ready'])
  time.nowMs = 1_001
  assert.equal(start().instance, refusing)
})

test('an ejected instance is tried again after its pause, one call at a time', () => {
  const { time, start, pick, states } = aDiscovery(['a', 'b'])
  const { instance: broken, end } = start()
  end('unsent')
  assert.deepEqual(states().toSorted(), ['ejected', 'ready'])
  for (let count = 0; count < 20; count += 1) assert.notEqual(pick(), broken)
  time.nowMs = 1_001
  assert.notEqual(pick(undefined, false), broken, 'not with what must not fail')
  const trial = start()
  assert.equal(trial.instance, broken)
  assert.notEqual(pick(), broken)
  trial.end('worked')
  assert.deepEqual(states(), ['ready', 'ready'])
})

test('where all are ejected one call at a time is tried soon', () => {
  const { time, start, pick, states } = aDiscovery(['a', 'b'])
  start().end('unsent')
  start().end('unsent')
  assert.deepEqual(states(), ['ejected', 'ejected'])
  assert.equal(pick(), undefined)
  time.nowMs = 101
  const trial = start(undefined, false)
  assert.equal(pick(), undefined)
  trial.end('worked')
  assert.equal(pick(), trial.instance)
})

test('a refused connection is left to the probes where there are any', () => {
  const { discovery, start, states } = aDiscovery(['a'], { isProbed: true })
  const { instance, end } = start()
  end('unsent')
  assert.deepEqual(states(), ['unhealthy'])
  discovery.report(instance, 'ready')
  assert.deepEqual(states(), ['ready'])
})

test('calls from before an instance came back do not count against it', () => {
  const { discovery, start, states } = aDiscovery(['a'], { maxInFlight: 10 })
  const stuck = [1, 2, 3].map(() => start())
  const [first] = stuck
  assert.ok(first)
  discovery.report(first.instance, 'unhealthy')
  discovery.report(first.instance, 'ready')
  for (const { end } of stuck) end('broken')
  assert.deepEqual(states(), ['ready'])
  for (const { end } of [start(), start()]) end('broken')
  assert.deepEqual(states(), ['ejected'])
})

test('there is no room while every instance that serves is full', () => {
  const { discovery, start } = aDiscovery(['a', 'b'])
  const calls = [1, 2, 3, 4].map(() => start())
  assert.equal(discovery.hasRoom(), false)
  calls[0]?.end('worked')
  assert.equal(discovery.hasRoom(), true)
})

test('a removed address is let go once its last call has ended', () => {
  const { discovery, closed, start } = aDiscovery(['a'])
  const { instance, end } = start()
  discovery.started(instance, true)
  discovery.update(['b'])
  assert.equal(start().instance.address, 'b')
  end('worked')
  assert.deepEqual(closed, [])
  discovery.finished(instance, true)
  assert.deepEqual(closed, ['a'])
})

test('an address that stays keeps its record', () => {
  const { discovery, start, states } = aDiscovery(['a'])
  start().end('unsent')
  discovery.update(['b', 'a', 'a'])
  assert.deepEqual(states(), ['ready', 'ejected'])
})
