import { createMetrics } from '@halles/kit/metrics'
import { silentLogger } from '@halles/kit/testing'
import { createCache } from '../src/cache.ts'
import type { WholeAnswer } from '../src/cacheable.ts'
import { type CatalogueCache, createCatalogueCache, type Fetch } from '../src/catalogue-cache.ts'
import { createPurges, type Purges } from '../src/purges.ts'
import type { Redis } from '../src/redis.ts'
import { createSharedCache, type SharedCache } from '../src/shared-cache.ts'
import { connectRedis } from './redis-server.ts'

export type TestGateway = {
  redis: Redis
  shared: SharedCache
  catalogue: CatalogueCache
  purges: Purges
  /** Answers as the gateway does: at once where it can. */
  get(key: string, fetch: Fetch): ReturnType<CatalogueCache['fetch']>
  /** As when it was just started, with nothing in its process. */
  forget(): void
  stop(): Promise<void>
}

/** The cache of one gateway, with a connection of its own. */
export async function createTestGateway(options: {
  url: string
  rule: { maxAgeSeconds: number; staleWhileRevalidateSeconds: number; staleIfErrorSeconds: number }
  /** Comes between the shared cache and Redis. */
  run?: (redis: Redis) => Redis['run']
}): Promise<TestGateway> {
  const { url, rule } = options
  const logger = silentLogger()
  const redis = await connectRedis(url)
  const cache = createCache({ maxBytes: 1_000_000 })
  const run = options.run?.(redis) ?? redis.run
  const shared = createSharedCache({ redis: { space: redis.space, run }, logger })
  const catalogue = createCatalogueCache({ cache, shared, onRefreshFailed: () => undefined })
  const purges = createPurges({ cache, shared, metrics: createMetrics({ service: 'test' }) })
  return {
    ...{ redis, shared, catalogue, purges },
    get: async (key, fetch) =>
      catalogue.find(key, rule, fetch) ?? catalogue.fetch(key, rule, fetch),
    forget: () => cache.clear(),
    async stop() {
      await shared.stop()
      await redis.stop()
    },
  }
}

/** What a service answers of a product. */
export function productAnswer(text: string, tags = 'products product:1'): WholeAnswer {
  const headers = { 'content-type': 'text/plain', etag: `"${text}"`, 'cache-tag': tags }
  return { status: 200, headers, body: Buffer.from(text) }
}

let events = 0

/** An event as the broker brings it. */
export function anEvent(): { id: string; time: string } {
  events += 1
  return { id: `event-${events}`, time: new Date().toISOString() }
}
