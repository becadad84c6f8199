import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import type { Redis } from '../src/redis.ts'
import { purgeTags } from '../src/shared-cache-scripts.ts'
import {
  anEvent,
  createTestGateway,
  productAnswer,
  type TestGateway,
} from './edge-cache-harness.ts'
import { missingRedis, useRedisServer } from './redis-server.ts'

const server = useRedisServer()
// Short enough that answers grow stale and old within an interleaving.
const rule = { maxAgeSeconds: 0.01, staleWhileRevalidateSeconds: 0.01, staleIfErrorSeconds: 30 }
// Some at once, which get in each other's way as shoppers do.
const batches = 50
const batchSize = 20
const stepsEach = 30
const seed = Number(process.env.HALLES_TEST_SEED ?? 20_251)

/** mulberry32: the same numbers for the same seed, on every machine. */
function createRandom(from: number): () => number {
  let state = from
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

async function waits(turns: number): Promise<void> {
  for (let left = turns; left > 0; left -= 1) await turn()
}

/** How likely a purge is lost, or its answer. */
const faults = { rate: 0 }

/** Answers overtake each other, as they would on several connections. */
function unruly(random: () => number): (redis: Redis) => Redis['run'] {
  return (redis) => async (script, keys, values) => {
    const isLost = script === purgeTags && random() < faults.rate
    await waits(random() * 4)
    const reply = isLost && random() < 0.7 ? undefined : await redis.run(script, keys, values)
    await waits(random() * 4)
    return isLost ? undefined : reply
  }
}

type Key = 'list' | 0 | 1

/** Two products and the list of both; each price is a version that only grows. */
function createShop(name: string, random: () => number, gateways: readonly TestGateway[]) {
  const versions: [number, number] = [0, 0]
  const seen = gateways.map((): [number, number] => [0, 0])
  const tagOf = (key: Key) => `product:${name}-${key}`

  async function serve(key: Key, ifNoneMatch?: string) {
    await waits(random() * 6)
    if (random() < 0.15) throw new Error('The service is down.')
    const shown = key === 'list' ? versions.join(' ') : String(versions[key])
    const tags = key === 'list' ? (['list', 0, 1] as const) : [key]
    await waits(random() * 6)
    const answer = productAnswer(shown, tags.map(tagOf).join(' '))
    return ifNoneMatch === `"${shown}"` ? { ...answer, status: 304 } : answer
  }

  return {
    /** The price changes, and each gateway hears of it sooner or later. */
    async change(product: 0 | 1): Promise<void> {
      versions[product] += 1
      const version = versions[product]
      const event = anEvent()
      await Promise.all(
        gateways.map(async ({ purges }, at) => {
          await waits(random() * 20)
          await purges.apply(event, [tagOf(product), tagOf('list')])
          const known = seen[at]
          if (known) known[product] = Math.max(known[product], version)
        }),
      )
    },
    /** Reads, and fails if the answer is older than what this gateway had seen when asked. */
    async read(at: number, key: Key): Promise<string> {
      const known = seen[at]
      const least = key === 'list' ? [...(known ?? [])] : [known?.[key] ?? 0]
      const found = await gateways[at]
        ?.get(`/${name}/${key}`, (ifNoneMatch) => serve(key, ifNoneMatch))
        .catch(() => undefined)
      if (!found) return 'failed'
      const shown = found.answer.body.toString().split(' ').map(Number)
      least.forEach((version, index) => {
        assert.ok((shown[index] ?? 0) >= version, `${key} shows ${shown}, seen were ${least}`)
      })
      return found.kind
    },
    pause: () => waits(random() * 4),
  }
}

test('a gateway that has seen a price change never shows an older price', {
  skip: missingRedis,
}, async (t) => {
  t.diagnostic(`HALLES_TEST_SEED=${seed}`)
  const random = createRandom(seed)
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)] as T
  const create = () => createTestGateway({ url: server().url, rule, run: unruly(random) })
  const gateways = [await create(), await create()]
  t.after(() => Promise.all(gateways.map(({ stop }) => stop())))
  for (const { purges } of gateways) purges.begin()
  const kinds = new Map<string, number>()

  async function interleave(name: string): Promise<void> {
    const shop = createShop(name, random, gateways)
    const work: Promise<unknown>[] = []
    for (let step = 0; step < stepsEach; step += 1) {
      await shop.pause()
      if (random() < 0.15) work.push(shop.change(pick([0, 1])))
      else {
        const read = shop.read(pick([0, 1]), pick(['list', 0, 1]))
        work.push(read.then((kind) => kinds.set(kind, (kinds.get(kind) ?? 0) + 1)))
      }
      if (random() < 0.005) pick(gateways).forget()
    }
    await Promise.all(work)
  }

  for (let batch = 0; batch < batches; batch += 1) {
    // After a fault a gateway is by itself for a while; most batches have both levels.
    faults.rate = batch % 5 === 4 ? 0.1 : 0
    if (faults.rate === 0) await eventually(() => gateways.every(({ shared }) => shared.isUsable()))
    await Promise.all(
      Array.from({ length: batchSize }, (_, index) => interleave(`${batch}-${index}`)),
    )
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(kinds)))
  for (const way of ['hit', 'shared', 'stale', 'stored', 'miss', 'revalidated', 'stale-if-error']) {
    assert.ok((kinds.get(way) ?? 0) > 0, `no answer was found in the way "${way}"`)
  }
})
