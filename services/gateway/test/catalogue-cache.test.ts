import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createCache } from '../src/cache.ts'
import type { WholeAnswer } from '../src/cacheable.ts'
import { createCatalogueCache } from '../src/catalogue-cache.ts'

const rule = { maxAgeSeconds: 10, staleWhileRevalidateSeconds: 20, staleIfErrorSeconds: 100 }

function ok(text: string): WholeAnswer {
  const headers = { 'content-type': 'application/json', etag: `"${text}"`, 'cache-tag': 'products' }
  return { status: 200, headers, body: Buffer.from(text) }
}

function build() {
  let nowMs = 0
  const failures: string[] = []
  const cache = createCache({ maxBytes: 1_000_000 })
  const catalogue = createCatalogueCache({
    cache,
    onRefreshFailed: (key) => failures.push(key),
    clock: () => nowMs,
  })
  const at = (seconds: number) => {
    nowMs = seconds * 1_000
  }
  return { cache, catalogue, failures, at }
}

test('a fresh answer is given without asking the service', async () => {
  const { catalogue, at } = build()
  await catalogue.fetch('/p', rule, async () => ok('one'))
  at(9)
  const found = catalogue.find('/p', rule, () => assert.fail('asked'))
  assert.equal(found?.kind, 'hit')
  assert.equal(found?.answer.body.toString(), 'one')
})

test('identical requests under way share one answer', async () => {
  const { catalogue } = build()
  const pending = Promise.withResolvers<WholeAnswer>()
  let asked = 0
  const fetch = () => {
    asked += 1
    return pending.promise
  }
  const all = Array.from({ length: 50 }, () => catalogue.fetch('/p', rule, fetch))
  pending.resolve(ok('one'))
  const found = await Promise.all(all)
  assert.equal(asked, 1)
  assert.ok(found.every(({ answer }) => answer.body.toString() === 'one'))
})

test('a stale answer is given at once and refreshed once behind it', async () => {
  const { catalogue, at } = build()
  await catalogue.fetch('/p', rule, async () => ok('one'))
  at(15)
  const refresh = Promise.withResolvers<WholeAnswer>()
  let asked = 0
  const fetch = () => {
    asked += 1
    return refresh.promise
  }
  assert.equal(catalogue.find('/p', rule, fetch)?.kind, 'stale')
  assert.equal(catalogue.find('/p', rule, fetch)?.kind, 'stale')
  refresh.resolve(ok('two'))
  await catalogue.fetch('/p', rule, fetch)
  const found = catalogue.find('/p', rule, fetch)
  assert.equal(found?.kind, 'hit')
  assert.equal(found?.answer.body.toString(), 'two')
  assert.equal(asked, 1)
})

for (const [what, fail] of [
  ['cannot be reached', () => Promise.reject(new Error('down'))],
  ['fails', async () => ({ status: 503, headers: {}, body: Buffer.from('{}') })],
] as const) {
  test(`the last answer is given, marked, while the service ${what}`, async () => {
    const { catalogue, at } = build()
    await catalogue.fetch('/p', rule, async () => ok('one'))
    at(60)
    assert.equal(catalogue.find('/p', rule, fail), undefined)
    const found = await catalogue.fetch('/p', rule, fail)
    assert.equal(found.kind, 'stale-if-error')
    at(111)
    const late = await catalogue.fetch('/p', rule, fail).catch(() => undefined)
    assert.notEqual(late?.kind, 'stale-if-error')
  })
}

test('a refresh that fails is reported and the stale answer stays', async () => {
  const { catalogue, at, failures } = build()
  await catalogue.fetch('/p', rule, async () => ok('one'))
  at(15)
  // The fall-back answers the refresh itself, so only a purge in between lets it fail.
  assert.equal(catalogue.find('/p', rule, () => Promise.reject(new Error('down')))?.kind, 'stale')
  await new Promise(setImmediate)
  assert.deepEqual(failures, [])
  assert.equal(catalogue.find('/p', rule, async () => ok('two'))?.kind, 'stale')
})

test('an answer that is not a success is passed on and not held', async () => {
  const { catalogue, cache } = build()
  const found = await catalogue.fetch('/p', rule, async () => ({ ...ok('no'), status: 404 }))
  assert.equal(found.kind, 'uncacheable')
  assert.equal(cache.get('/p'), undefined)
})

test('a price change while the answer is under way keeps the old price out of the cache', async () => {
  const { catalogue, cache } = build()
  const pending = Promise.withResolvers<WholeAnswer>()
  const asked = catalogue.fetch('/p', rule, () => pending.promise)
  cache.purge('products')
  pending.resolve(ok('old price'))
  assert.equal((await asked).kind, 'miss')
  assert.equal(cache.get('/p'), undefined)
})

test('a request that comes after a purge does not share an answer from before it', async () => {
  const { catalogue, cache } = build()
  const old = Promise.withResolvers<WholeAnswer>()
  const early = catalogue.fetch('/p', rule, () => old.promise)
  cache.purge('products')
  const late = catalogue.fetch('/p', rule, async () => ok('new price'))
  const later = catalogue.fetch('/p', rule, async () => ok('new price'))
  old.resolve(ok('old price'))
  assert.equal((await early).answer.body.toString(), 'old price')
  assert.equal((await late).answer.body.toString(), 'new price')
  assert.equal((await later).answer.body.toString(), 'new price')
  assert.equal((await later).isCollapsed, true)
  assert.equal(catalogue.find('/p', rule, () => assert.fail('asked'))?.kind, 'hit')
})

test('a request that comes after the purge of another tag shares the answer under way', async () => {
  const { catalogue, cache } = build()
  const pending = Promise.withResolvers<WholeAnswer>()
  const early = catalogue.fetch('/p', rule, () => pending.promise)
  cache.purge('product:9')
  const late = catalogue.fetch('/p', rule, () => assert.fail('asked twice'))
  pending.resolve(ok('one'))
  assert.equal((await late).answer, (await early).answer)
})

test('the service confirms a stale answer by its entity tag, which is fresh again then', async () => {
  const { catalogue, at } = build()
  await catalogue.fetch('/p', rule, async () => ok('one'))
  at(50)
  const asked: (string | undefined)[] = []
  const found = await catalogue.fetch('/p', rule, async (ifNoneMatch) => {
    asked.push(ifNoneMatch)
    return { status: 304, headers: { etag: '"one"' }, body: Buffer.alloc(0) }
  })
  assert.deepEqual(asked, ['"one"'])
  assert.equal(found.kind, 'revalidated')
  assert.equal(found.answer.body.toString(), 'one')
  at(59)
  assert.equal(catalogue.find('/p', rule, () => assert.fail('asked'))?.kind, 'hit')
})

test('an entity tag of our own is not sent to a service that does not know it', async () => {
  const { catalogue, at } = build()
  const { etag: _none, ...headers } = ok('one').headers
  await catalogue.fetch('/p', rule, async () => ({ ...ok('one'), headers }))
  at(50)
  const found = await catalogue.fetch('/p', rule, async (ifNoneMatch) => {
    assert.equal(ifNoneMatch, undefined)
    return ok('two')
  })
  assert.equal(found.kind, 'renewed')
})

test('an answer that the service keeps to itself is passed on and not held', async () => {
  const { catalogue, cache } = build()
  for (const headers of [{ 'cache-control': 'private' }, { 'set-cookie': ['a=b'] }]) {
    const found = await catalogue.fetch('/p', rule, async () => ({ ...ok('mine'), headers }))
    assert.equal(found.kind, 'uncacheable')
    assert.equal(cache.get('/p'), undefined)
  }
  assert.equal(catalogue.counts().uncacheable, 2)
})
