import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '../src/metrics.ts'
import { createPasswordHasher, type PasswordHasherOptions } from '../src/passwords.ts'
import { newTrace, runWithContext } from '../src/trace.ts'

const busy = { kind: 'unavailable', code: 'HASHING_BUSY' }

/** One hash at a time, and a place for each of those that wait, unless told otherwise. */
const aHasher = (options: Partial<PasswordHasherOptions> = {}) =>
  createPasswordHasher({ concurrency: 1, queueLimit: 10, maxWaitMs: 30_000, ...options })

test('a password matches its own argon2id hash and no other', async () => {
  const hasher = aHasher({ concurrency: 2 })
  const [one, two] = await Promise.all([hasher.hash('correct horse'), hasher.hash('correct horse')])
  assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  assert.notEqual(one, two)
  assert.equal(await hasher.verify(one, 'correct horse'), true)
  assert.equal(await hasher.verify(one, 'battery staple'), false)
})

test('beyond the queue people are asked to come back', async () => {
  const hasher = aHasher({ queueLimit: 1 })
  const accepted = [hasher.hash('one'), hasher.hash('two')]
  assert.throws(() => hasher.admit(), busy)
  await assert.rejects(hasher.hash('three'), { ...busy, retryAfterSeconds: 1 })
  assert.equal((await Promise.all(accepted)).length, 2)
  hasher.admit()
})

test('who would wait longer than people do is refused at once, though there is a place', async () => {
  const hasher = aHasher({ queueLimit: 1_000, maxWaitMs: 100 })
  const outcomes = Array.from({ length: 50 }, () => hasher.hash('x').catch(() => 'refused'))
  assert.throws(() => hasher.admit(), busy)
  assert.ok((await Promise.all(outcomes)).includes('refused'))
})

test('who would wait beyond the deadline of the request is refused at once', async () => {
  const hasher = aHasher()
  const running = hasher.hash('one')
  const soon = { trace: newTrace(), deadlineAtMs: performance.now() + 1 }
  await assert.rejects(
    runWithContext(soon, () => hasher.hash('two')),
    busy,
  )
  await running
})

test('those who are refused are told to come back one after another', async () => {
  const hasher = aHasher({ queueLimit: 1 })
  const accepted = [hasher.hash('one'), hasher.hash('two')]
  const waits: number[] = []
  for (let n = 0; n < 2_000; n += 1) {
    await hasher.hash('x').catch(({ retryAfterSeconds }) => waits.push(retryAfterSeconds))
  }
  assert.deepEqual(
    waits,
    waits.toSorted((a, b) => a - b),
  )
  assert.equal(waits[0], 1)
  assert.equal(waits.at(-1), 15)
  await Promise.all(accepted)
})

test('a request whose caller is gone leaves the queue without being hashed', async () => {
  const metrics = createMetrics({ service: 'test' })
  const hasher = aHasher({ metrics })
  const caller = new AbortController()
  const first = hasher.hash('one')
  const gone = hasher.hash('two', { signal: caller.signal })
  const next = hasher.hash('three')
  caller.abort(new Error('The client went away.'))
  await assert.rejects(gone, { message: 'The client went away.' })
  await Promise.all([first, next])
  const text = await metrics.registry.metrics()
  assert.match(text, /hashing_wait_seconds_count\{.*\} 2\n/)
  assert.match(text, /hashing_waiting\{.*\} 0\n/)
  assert.match(text, /hashing_running\{.*\} 0\n/)
})
