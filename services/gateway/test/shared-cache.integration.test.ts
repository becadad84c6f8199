import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import type { WholeAnswer } from '../src/cacheable.ts'
import {
  anEvent,
  createTestGateway,
  productAnswer,
  type TestGateway,
} from './edge-cache-harness.ts'
import { missingRedis, useRedisServer } from './redis-server.ts'

const server = useRedisServer()
const skip = missingRedis
const rule = { maxAgeSeconds: 30, staleWhileRevalidateSeconds: 60, staleIfErrorSeconds: 600 }
const neverAsked = () => assert.fail('the service was asked')

async function join(t: TestContext, options = { rule }): Promise<TestGateway> {
  const gateway = await createTestGateway({ url: server().url, ...options })
  t.after(gateway.stop)
  gateway.purges.begin()
  await eventually(() => gateway.shared.isUsable())
  return gateway
}

/** Keys of one test, in one Redis for all of them. */
let keys = 0
function aKey(): string {
  keys += 1
  return `/products/${keys}`
}

/** Waits until an answer, which is stored behind the reader's back, is there for the others. */
async function isShared(key: string): Promise<void> {
  await eventually(async () => Number(await server().command('EXISTS', await nameOf(key))) === 1)
}

async function nameOf(key: string): Promise<string> {
  const [name = ''] = (await server().command('KEYS', `*:entry:${key}`)) as string[]
  return name
}

test('what one gateway asked for, another one has', { skip }, async (t) => {
  const [one, other] = [await join(t), await join(t)]
  const key = aKey()
  assert.equal((await one.get(key, async () => productAnswer('tea'))).kind, 'stored')
  await isShared(key)
  const found = await other.get(key, neverAsked)
  assert.equal(found.kind, 'shared')
  assert.equal(found.answer.body.toString(), 'tea')
  assert.equal((await other.get(key, neverAsked)).kind, 'hit', 'its own process has it from now on')
})

test('fifty requests at each of two gateways ask the service once', { skip }, async (t) => {
  const gateways = [await join(t), await join(t)]
  const key = aKey()
  let asked = 0
  const pending = Promise.withResolvers<WholeAnswer>()
  const fetch = () => {
    asked += 1
    return pending.promise
  }
  const all = gateways.flatMap((gateway) =>
    Array.from({ length: 50 }, () => gateway.get(key, fetch)),
  )
  await eventually(() => asked === 1)
  pending.resolve(productAnswer('tea'))
  const found = await Promise.all(all)
  assert.equal(asked, 1)
  assert.ok(found.every(({ answer }) => answer.body.toString() === 'tea'))
  const kinds = new Set(found.map(({ kind }) => kind))
  assert.deepEqual(kinds, new Set(['stored', 'shared']))
})

test('a gateway does not wait for long for one that died while it asked', { skip }, async (t) => {
  const [one, other] = [await join(t), await join(t)]
  const key = aKey()
  let isAsking = false
  const lost = one.get(key, () => {
    isAsking = true
    return new Promise<never>(() => undefined)
  })
  assert.ok(lost instanceof Promise)
  await eventually(() => isAsking)
  assert.equal((await other.get(key, async () => productAnswer('tea'))).kind, 'stored')
})

test('where an answer cannot be shared each gateway asks without waiting', { skip }, async (t) => {
  const [one, other] = [await join(t), await join(t)]
  const key = aKey()
  const missing = async () => ({ ...productAnswer('no'), status: 404 })
  assert.equal((await one.get(key, missing)).kind, 'uncacheable')
  const lock = `*:lock:${key}`
  await eventually(async () => {
    const [name = ''] = (await server().command('KEYS', lock)) as string[]
    return (await server().command('GET', name)) === 'pass'
  })
  assert.equal((await other.get(key, missing)).kind, 'uncacheable')
})

test('a purge at one gateway is one for all, in both levels', { skip }, async (t) => {
  const [one, other] = [await join(t), await join(t)]
  const key = aKey()
  await one.get(key, async () => productAnswer('old'))
  await isShared(key)
  const event = anEvent()
  await one.purges.apply(event, ['product:1'])
  other.forget()
  assert.equal(
    (await other.get(key, async () => productAnswer('new'))).answer.body.toString(),
    'new',
  )
  await eventually(async () => {
    one.forget()
    return (await one.get(key, async () => productAnswer('newer'))).kind === 'shared'
  })
  await other.purges.apply(event, ['product:1'])
  one.forget()
  const found = await one.get(key, neverAsked)
  assert.equal(found.kind, 'shared', 'the second gateway to hear of an event purges nothing newer')
})

test('what was asked for before a purge is not shared after it', { skip }, async (t) => {
  const [one, other] = [await join(t), await join(t)]
  const key = aKey()
  const pending = Promise.withResolvers<WholeAnswer>()
  let isAsking = false
  const early = one.get(key, () => {
    isAsking = true
    return pending.promise
  })
  await eventually(() => isAsking)
  // Only the other one has heard of it; the first one does not know that its answer is old.
  await other.purges.apply(anEvent(), ['product:1'])
  const late = other.get(key, async () => productAnswer('new'))
  pending.resolve(productAnswer('old'))
  assert.equal((await early).answer.body.toString(), 'old')
  assert.equal((await late).answer.body.toString(), 'new')
})

test('a gateway that starts keeps what others watch over', { skip }, async (t) => {
  const one = await join(t)
  const key = aKey()
  await one.get(key, async () => productAnswer('tea'))
  await isShared(key)
  const other = await join(t)
  assert.equal((await other.get(key, neverAsked)).kind, 'shared')
})

test('a gateway that starts where nobody watched trusts nothing', { skip }, async (t) => {
  const one = await join(t)
  const key = aKey()
  await one.get(key, async () => productAnswer('old'))
  await isShared(key)
  await one.stop()
  const [watch = ''] = (await server().command('KEYS', '*:watch')) as string[]
  // As when its time was over.
  await server().command('DEL', watch)
  const other = await join(t)
  assert.equal((await other.get(key, async () => productAnswer('new'))).kind, 'stored')
})

test('what Redis evicts is never a reason to show an old answer', { skip }, async (t) => {
  const one = await join(t)
  const key = aKey()
  await one.get(key, async () => productAnswer('old'))
  await isShared(key)
  await one.purges.apply(anEvent(), ['product:1'])
  const [root = ''] = (await server().command('KEYS', '*:root')) as string[]
  await server().command('DEL', root)
  assert.equal((await one.get(key, async () => productAnswer('new'))).kind, 'stored')
})

test('a restarted gateway answers stale from the shared level while the service is down', {
  skip,
}, async (t) => {
  const short = { maxAgeSeconds: 0, staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 600 }
  const one = await join(t, { rule: short })
  const key = aKey()
  await one.get(key, async () => productAnswer('tea'))
  await isShared(key)
  const other = await join(t, { rule: short })
  const found = await other.get(key, () => Promise.reject(new Error('down')))
  assert.equal(found.kind, 'stale-if-error')
  assert.equal(found.answer.body.toString(), 'tea')
  // The one that failed lets the others try, and the service confirms what they hold.
  const asked: (string | undefined)[] = []
  const confirmed = await one.get(key, async (ifNoneMatch) => {
    asked.push(ifNoneMatch)
    return { status: 304, headers: {}, body: Buffer.alloc(0) }
  })
  assert.deepEqual(asked, ['"tea"'])
  assert.equal(confirmed.kind, 'revalidated')
})

test('a stale answer of the shared level is given at once and refreshed behind it', {
  skip,
}, async (t) => {
  const swr = { maxAgeSeconds: 0, staleWhileRevalidateSeconds: 60, staleIfErrorSeconds: 600 }
  const [one, other] = [await join(t, { rule: swr }), await join(t, { rule: swr })]
  const key = aKey()
  await one.get(key, async () => productAnswer('tea'))
  await isShared(key)
  let asked = 0
  const found = await other.get(key, async () => {
    asked += 1
    return productAnswer('coffee')
  })
  assert.equal(found.kind, 'stale')
  await eventually(() => asked === 1)
})

test('a body beyond the limit stays in the process', { skip }, async (t) => {
  const [one, other] = [await join(t), await join(t)]
  const key = aKey()
  const large = { ...productAnswer('x'), body: Buffer.alloc(300 * 1024) }
  await one.get(key, async () => large)
  assert.equal((await other.get(key, async () => productAnswer('own'))).kind, 'stored')
})

test('a killed Redis costs nobody an answer, and what it held is not trusted again', {
  skip,
}, async (t) => {
  const one = await join(t)
  const [key, next] = [aKey(), aKey()]
  await one.get(key, async () => productAnswer('old'))
  await isShared(key)
  await server().command('SAVE')
  await server().kill()
  await eventually(() => !one.shared.isUsable())
  assert.equal((await one.get(key, neverAsked)).kind, 'hit')
  assert.equal((await one.get(next, async () => productAnswer('tea'))).kind, 'stored')
  await one.purges.apply(anEvent(), ['product:1'])
  // It comes back with its snapshot, in which nothing was purged.
  await server().start()
  await eventually(() => one.shared.isUsable())
  assert.equal((await one.get(key, async () => productAnswer('new'))).kind, 'stored')
  const other = await join(t)
  await isShared(key)
  assert.equal((await other.get(key, neverAsked)).answer.body.toString(), 'new')
})

test('a purge that a frozen Redis cannot confirm keeps the gateway from it until it does', {
  skip,
}, async (t) => {
  const one = await join(t)
  const key = aKey()
  await one.get(key, async () => productAnswer('old'))
  await isShared(key)
  server().freeze()
  t.after(() => server().thaw())
  await one.purges.apply(anEvent(), ['product:1'])
  assert.equal(one.shared.isUsable(), false)
  assert.equal((await one.get(key, async () => productAnswer('new'))).kind, 'stored')
  server().thaw()
  await eventually(() => one.shared.isUsable())
  one.forget()
  const found = await one.get(key, async () => productAnswer('newest'))
  assert.equal(found.answer.body.toString(), 'newest', 'the purge was made up for')
})

test('after more purges than are remembered nothing shared is trusted', { skip }, async (t) => {
  const one = await join(t)
  const key = aKey()
  await one.get(key, async () => productAnswer('old', 'product:7'))
  await isShared(key)
  server().freeze()
  t.after(() => server().thaw())
  await one.purges.apply(anEvent(), ['product:7'])
  for (let n = 0; n < 600; n += 1) await one.purges.apply(anEvent(), ['product:8'])
  server().thaw()
  await eventually(() => one.shared.isUsable())
  one.forget()
  assert.equal((await one.get(key, async () => productAnswer('new', 'product:7'))).kind, 'stored')
})
