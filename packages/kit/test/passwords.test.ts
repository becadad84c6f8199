import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPasswordHasher } from '../src/passwords.ts'

test('a password matches its own argon2id hash and no other', async () => {
  const hasher = createPasswordHasher({ concurrency: 2, queueLimit: 4 })
  const [one, two] = await Promise.all([hasher.hash('correct horse'), hasher.hash('correct horse')])
  assert.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  assert.notEqual(one, two)
  assert.equal(await hasher.verify(one, 'correct horse'), true)
  assert.equal(await hasher.verify(one, 'battery staple'), false)
})

test('beyond the queue people are asked to come back in a second', async () => {
  const hasher = createPasswordHasher({ concurrency: 1, queueLimit: 1 })
  const accepted = [hasher.hash('one'), hasher.hash('two')]
  await assert.rejects(hasher.hash('three'), {
    kind: 'unavailable',
    code: 'HASHING_BUSY',
    retryAfterSeconds: 1,
  })
  assert.equal((await Promise.all(accepted)).length, 2)
})
