import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CachedAnswer, createCache } from '../src/cache.ts'

function answer(tags: string[], bytes = 100): CachedAnswer {
  return {
    body: Buffer.alloc(bytes),
    contentType: 'application/json',
    etag: '"1"',
    isEtagOfService: true,
    tags,
    storedAtMs: 0,
    freshUntilMs: 1,
    staleUntilMs: 2,
    errorUntilMs: 3,
  }
}

test('a purge drops every answer with the tag and no other', () => {
  const cache = createCache({ maxBytes: 1_000_000 })
  cache.put('/list', answer(['products', 'product:1']), cache.mark())
  cache.put('/one', answer(['product:1']), cache.mark())
  cache.put('/two', answer(['product:2']), cache.mark())
  assert.equal(cache.purge('product:1'), 2)
  assert.equal(cache.get('/list'), undefined)
  assert.equal(cache.get('/one'), undefined)
  assert.ok(cache.get('/two'))
})

test('an answer that was asked for before a purge of its tag is not stored after it', () => {
  const cache = createCache({ maxBytes: 1_000_000 })
  const mark = cache.mark()
  cache.purge('product:1')
  assert.equal(cache.put('/one', answer(['product:1']), mark), false)
  assert.equal(cache.put('/two', answer(['product:2']), mark), true)
  assert.equal(cache.put('/one', answer(['product:1']), cache.mark()), true)
})

test('an answer from before a clear is not stored after it', () => {
  const cache = createCache({ maxBytes: 1_000_000 })
  const mark = cache.mark()
  cache.clear()
  assert.equal(cache.put('/one', answer([]), mark), false)
})

test('the cache stays within its bytes and forgets the least recently used', () => {
  const cache = createCache({ maxBytes: 64_000 })
  for (let n = 0; n < 200; n += 1) cache.put(`/${n}`, answer([`t${n}`], 1_000), cache.mark())
  assert.ok(cache.stats().bytes <= 64_000)
  assert.equal(cache.get('/0'), undefined)
  assert.ok(cache.get('/199'))
  assert.equal(cache.purge('t0'), 0, 'the index forgets what was evicted')
})

test('an answer too large for its share of the cache is not held', () => {
  const cache = createCache({ maxBytes: 64_000 })
  assert.equal(cache.put('/big', answer([], 10_000), cache.mark()), false)
})
