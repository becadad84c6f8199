import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createGate } from '../../src/messaging/postgres/gate.ts'

test('who is alone waits for those in hand, and the others wait for who is alone', async () => {
  const gate = createGate()
  const log: string[] = []
  const first = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const alone = Promise.withResolvers<void>()
  const together = gate.together(async (hold) => {
    hold(held.promise.then(() => void log.push('what was held ends')))
    await first.promise
    log.push('the first ends')
  })
  const beside = gate.together(async () => void log.push('another beside it'))
  const lone = gate.alone(async () => {
    log.push('alone')
    await alone.promise
    log.push('alone no more')
  })
  const later = gate.together(async () => void log.push('a later one'))
  await beside
  first.resolve()
  await together
  await setImmediate()
  assert.deepEqual(log, ['another beside it', 'the first ends'])
  held.resolve()
  await setImmediate()
  alone.resolve()
  await Promise.all([lone, later])
  assert.deepEqual(log.slice(2), ['what was held ends', 'alone', 'alone no more', 'a later one'])
})

test('work that fails gives way like work that succeeds', async () => {
  const gate = createGate()
  const failed = [
    gate.together(() => Promise.reject(new Error('together'))),
    gate.alone(() => Promise.reject(new Error('alone'))),
  ]
  const results = await Promise.allSettled(failed)
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  )
  assert.equal(await gate.alone(async () => 'free'), 'free')
  assert.equal(await gate.together(async () => 'free'), 'free')
})
