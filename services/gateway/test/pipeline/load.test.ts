import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ShedClass, shedding } from '@halles/contracts/gen/routing'
import { createDelayAverage, createShedder } from '../../src/pipeline/load.ts'

function aShedder(delayMs: number, random = 0) {
  const refused: ShedClass[] = []
  const shed = createShedder({
    thresholds: shedding,
    delayMs: () => delayMs,
    onShed: (shedClass) => refused.push(shedClass),
    random: () => random,
  })
  return { shed, refused }
}

const classes = Object.keys(shedding) as ShedClass[]

function turnedAwayAt(delayMs: number): ShedClass[] {
  const { shed } = aShedder(delayMs, 0.999)
  return classes.filter((shedClass) => {
    try {
      shed(shedClass)
      return false
    } catch {
      return true
    }
  })
}

test('nobody is turned away while the loop is at most a little late', () => {
  const { shed, refused } = aShedder(150)
  for (const shedClass of classes) shed(shedClass)
  assert.deepEqual(refused, [])
})

test('the dear requests go first, checkout and webhooks late, cached answers last', () => {
  assert.deepEqual(turnedAwayAt(300), ['sign-up', 'sign-in'])
  assert.deepEqual(turnedAwayAt(500), ['sign-up', 'sign-in', 'operator', 'write'])
  assert.deepEqual(
    turnedAwayAt(1_000),
    classes.filter((name) => !['checkout', 'webhook', 'cached'].includes(name)),
  )
  assert.deepEqual(
    turnedAwayAt(2_000),
    classes.filter((name) => name !== 'cached'),
  )
  assert.deepEqual(turnedAwayAt(4_000), classes)
})

test('between a threshold and twice it a growing share is turned away', () => {
  const at = (delayMs: number, random: number) => () => aShedder(delayMs, random).shed('read')
  assert.throws(at(500, 0.24), { kind: 'unavailable', code: 'OVERLOADED', retryAfterSeconds: 2 })
  assert.doesNotThrow(at(500, 0.26))
  assert.throws(at(700, 0.74), { code: 'OVERLOADED' })
  assert.doesNotThrow(at(700, 0.76))
})

test('what is turned away is counted by class', () => {
  const { shed, refused } = aShedder(10_000)
  assert.throws(() => shed('write'), { code: 'OVERLOADED' })
  assert.throws(() => shed('cached'), { code: 'OVERLOADED' })
  assert.deepEqual(refused, ['write', 'cached'])
})

test('a single stall turns nobody away, however long', () => {
  const average = createDelayAverage()
  average(0)
  assert.equal(average(60_000), 0)
  assert.equal(average(0), 0)
})

test('a loop that stays late is seen as late within a few samples, and forgotten as soon', () => {
  const average = createDelayAverage()
  let delayMs = 0
  for (let count = 0; count < 6; count += 1) delayMs = average(500)
  assert.ok(delayMs > 450 && delayMs < 500)
  for (let count = 0; count < 50; count += 1) delayMs = average(0)
  assert.ok(delayMs < 50)
})
