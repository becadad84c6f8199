import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import { renew, toCached } from '../src/cacheable.ts'

const rule = { maxAgeSeconds: 30, staleWhileRevalidateSeconds: 60, staleIfErrorSeconds: 600 }

function cache(headers: IncomingHttpHeaders, status = 200) {
  return toCached({ status, headers, body: Buffer.from('{}') }, rule, 1_000_000)
}

/** Seconds from when it was made until it is no longer fresh, current enough, or any good. */
function times(headers: IncomingHttpHeaders) {
  const answer = cache(headers)
  assert.ok(answer)
  const { storedAtMs, freshUntilMs, staleUntilMs, errorUntilMs } = answer
  return [freshUntilMs, staleUntilMs, errorUntilMs].map((untilMs) => (untilMs - storedAtMs) / 1_000)
}

for (const headers of [
  { 'cache-control': 'no-store' },
  { 'cache-control': 'max-age=60, Private' },
  { 'cache-control': 'private="x-name"' },
  { 'cache-control': 'no-cache' },
  { 'set-cookie': ['session=1'] },
  { vary: 'cookie' },
  { vary: '*' },
  { 'cache-tag': Array.from({ length: 1_001 }, (_, n) => `t${n}`).join(' ') },
]) {
  test(`an answer with ${JSON.stringify(headers).slice(0, 40)} is not held`, () => {
    assert.equal(cache(headers), undefined)
  })
}

for (const status of [206, 301, 404, 503]) {
  test(`a ${status} is not held`, () => assert.equal(cache({}, status), undefined))
}

test('the contract says how long an answer is held', () => {
  assert.deepEqual(times({}), [30, 90, 630])
})

test('the service may shorten what the contract says and not lengthen it', () => {
  assert.deepEqual(times({ 'cache-control': 'public, max-age=10' }), [10, 70, 610])
  assert.deepEqual(times({ 'cache-control': 'max-age=3600' }), [30, 90, 630])
  assert.deepEqual(times({ 'cache-control': 'max-age=3600, s-maxage=5' }), [5, 5, 5])
  assert.deepEqual(times({ 'cache-control': 'stale-while-revalidate=1, stale-if-error=2' }), [
    ...[30, 31, 32],
  ])
  assert.deepEqual(times({ 'cache-control': 'max-age=soon' }), [0, 60, 600])
})

test('an answer that must be revalidated is never given stale', () => {
  assert.deepEqual(times({ 'cache-control': 'must-revalidate' }), [30, 30, 30])
})

test('the time that an answer spent in a cache before ours counts', () => {
  assert.equal(cache({ age: '12' })?.storedAtMs, 1_000_000 - 12_000)
})

test('an answer without an entity tag gets one from its content', () => {
  const answer = cache({})
  assert.match(answer?.etag ?? '', /^"[\w-]{22}"$/)
  assert.equal(answer?.isEtagOfService, false)
  assert.equal(cache({})?.etag, answer?.etag)
  assert.equal(cache({ etag: 'W/"7"' })?.etag, 'W/"7"')
})

test('what the service confirms is as fresh as the confirmation says', () => {
  const held = cache({ etag: '"7"', 'cache-tag': 'products product:1' })
  assert.ok(held)
  const renewed = renew(held, { 'cache-control': 'max-age=5' }, { rule, nowMs: 2_000_000 })
  assert.equal(renewed?.freshUntilMs, 2_005_000)
  assert.deepEqual(renewed?.tags, ['products', 'product:1'])
  assert.equal(renewed?.body, held.body)
  assert.equal(renew(held, { 'cache-control': 'no-store' }, { rule, nowMs: 0 }), undefined)
})
