import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLoop, jitteredDelayMs } from '../src/loop.ts'
import { eventually, silentLogger } from '../src/testing.ts'

const logger = silentLogger()
const hour = 3_600_000

test('an idle loop rests until it is woken', async (t) => {
  let rounds = 0
  const loop = createLoop({
    name: 'idle',
    logger,
    backoff: { baseMs: hour, maxMs: hour },
    async round() {
      rounds += 1
      return hour
    },
  })
  loop.start()
  t.after(() => loop.stop())
  await eventually(() => rounds === 1)
  loop.wake()
  await eventually(() => rounds === 2)
})

test('a wake during a round leads to one more round', async (t) => {
  let rounds = 0
  const loop = createLoop({
    name: 'busy',
    logger,
    backoff: { baseMs: hour, maxMs: hour },
    async round() {
      rounds += 1
      if (rounds === 1) loop.wake()
      return hour
    },
  })
  loop.start()
  t.after(() => loop.stop())
  await eventually(() => rounds === 2)
})

test('a failing loop backs off even when it is woken, and can still be stopped', async () => {
  let rounds = 0
  const loop = createLoop({
    name: 'failing',
    logger,
    backoff: { baseMs: hour, maxMs: hour },
    async round() {
      rounds += 1
      throw new Error('away')
    },
  })
  loop.start()
  await eventually(() => rounds === 1)
  for (let wake = 0; wake < 5; wake += 1) {
    loop.wake()
    await new Promise(setImmediate)
  }
  assert.equal(rounds, 1)
  await loop.stop()
})

test('back-off doubles up to its bound and never falls below half of it', () => {
  for (let failures = 1; failures < 2_000; failures += 1) {
    const ceiling = Math.min(1_000, 10 * 2 ** (failures - 1))
    const delay = jitteredDelayMs({ baseMs: 10, maxMs: 1_000 }, failures)
    assert.ok(delay >= ceiling / 2 && delay <= ceiling, `${delay} after ${failures}`)
  }
})
