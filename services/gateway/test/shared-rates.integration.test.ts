import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { createRateLimiter, type Rate } from '../src/rate-limit.ts'
import { createSharedRates } from '../src/shared-rates.ts'
import { connectRedis, missingRedis, useRedisServer } from './redis-server.ts'

const server = useRedisServer()
const skip = missingRedis
// Refilled so slowly that nothing comes back during a test.
const slow: Rate = { perSecond: 0.001, burst: 40 }
const rates = { exact: slow, batched: slow, quick: { perSecond: 100, burst: 4 } }
type Class = keyof typeof rates

/** The limiter of one gateway, with a connection of its own. */
async function createGateway() {
  const redis = await connectRedis(server().url)
  const shared = createSharedRates(redis)
  const limit = createRateLimiter<Class>({ rates, factor: 1, exact: ['exact', 'quick'], shared })
  return {
    redis,
    shared,
    stop: redis.stop,
    isAllowed: async (client: string, rateClass: Class) =>
      (await limit(client, rateClass))?.isAllowed === true,
  }
}

type Gateway = Awaited<ReturnType<typeof createGateway>>

/** Sends to the gateways in turn and returns how many were admitted. */
async function admit(
  gateways: Gateway[],
  options: { client: string; rateClass: Class; count: number },
) {
  const all = Array.from({ length: options.count }, (_, n) =>
    gateways[n % gateways.length]?.isAllowed(options.client, options.rateClass),
  )
  return (await Promise.all(all)).filter((isAllowed) => isAllowed).length
}

async function createTwo(t: { after(work: () => Promise<void>): void }): Promise<Gateway[]> {
  const gateways = await Promise.all([createGateway(), createGateway()])
  for (const gateway of gateways) t.after(gateway.stop)
  return gateways
}

test('two gateways together admit exactly what a strict class allows', { skip }, async (t) => {
  const gateways = await createTwo(t)
  assert.equal(await admit(gateways, { client: 'a', rateClass: 'exact', count: 60 }), 40)
  assert.equal(await admit(gateways, { client: 'a', rateClass: 'exact', count: 60 }), 0)
})

test('a strict class is refilled by the clock of Redis', { skip }, async (t) => {
  const gateways = await createTwo(t)
  assert.ok((await admit(gateways, { client: 'r', rateClass: 'quick', count: 8 })) >= 4)
  await eventually(
    async () => (await admit(gateways, { client: 'r', rateClass: 'quick', count: 1 })) === 1,
  )
})

test('two gateways go on from what both have left in any other class', { skip }, async (t) => {
  const [one, other] = (await createTwo(t)) as [Gateway, Gateway]
  const first = await admit([one], { client: 'b', rateClass: 'batched', count: 39 })
  assert.equal(first, 39)
  // Told at the latest after an interval; nothing is spent by asking for the level.
  const level = { key: 'batched b', spent: 0, ...slow }
  await eventually(async () => ((await one.shared.settle([level]))?.[0] ?? 40) < 1.5)
  // The other one learns of it with its first report, an eighth of the burst; then both refuse.
  let total = first
  const both = () => admit([one, other], { client: 'b', rateClass: 'batched', count: 2 })
  await eventually(async () => {
    const admitted = await both()
    total += admitted
    return admitted === 0
  })
  assert.ok(total > 40, 'the first report came too late for these')
  assert.ok(total <= 40 + 2 * 5 + 2, `${total} are more than was left and an eighth for each`)
  assert.equal(await both(), 0)
})

test('a level is forgotten when it would be full again', { skip }, async (t) => {
  const [one] = (await createTwo(t)) as [Gateway, Gateway]
  await one.shared.settle([{ key: 'x', spent: 50, perSecond: 100, burst: 100 }])
  const keys = (await server().command('KEYS', '*:rate:x')) as string[]
  const leftMs = Number(await server().command('PTTL', keys[0] ?? ''))
  assert.ok(leftMs > 0 && leftMs <= 1_500)
})

for (const [what, stop, start] of [
  ['killed', () => server().kill(), () => server().start()],
  ['frozen', () => server().freeze(), () => server().thaw()],
] as const) {
  test(`while Redis is ${what} each gateway counts by itself, and together again afterwards`, {
    skip,
  }, async (t) => {
    const gateways = await createTwo(t)
    await stop()
    for (const rateClass of ['exact', 'batched'] as const) {
      const options = { client: `${what} c`, rateClass, count: 100 }
      assert.equal(await admit(gateways, options), 80, 'a burst from each')
    }
    await start()
    for (const { redis } of gateways) await eventually(() => redis.space() !== undefined)
    assert.equal(await admit(gateways, { client: `${what} d`, rateClass: 'exact', count: 60 }), 40)
  })
}
