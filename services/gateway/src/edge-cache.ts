import type { Logger } from '@halles/kit/logging'
import type { Metrics } from '@halles/kit/metrics'
import { createCache } from './cache.ts'
import { type CacheFigures, createCacheFigures } from './cache-figures.ts'
import { type CatalogueCache, createCatalogueCache } from './catalogue-cache.ts'
import { createPurges, type Purges } from './purges.ts'
import type { Redis } from './redis.ts'
import { createSharedCache } from './shared-cache.ts'

export type EdgeCache = {
  readonly catalogue: CatalogueCache
  readonly purges: Purges
  readonly figures: CacheFigures
  stop(): Promise<void>
}

/** The cache with its levels: that of this process, and that of all gateways where there is a Redis. */
export function createEdgeCache(options: {
  maxBytes: number
  redis: Redis | undefined
  logger: Logger
  metrics: Metrics
}): EdgeCache {
  const { maxBytes, redis, logger, metrics } = options
  const cache = createCache({ maxBytes })
  const shared = redis && createSharedCache({ redis, logger })
  const catalogue = createCatalogueCache({
    cache,
    ...(shared && { shared }),
    // What people searched for stands in the query, and is not for the log.
    onRefreshFailed: (key, error) =>
      logger.warn({ path: key.split('?', 1)[0], error }, 'A cached answer could not be refreshed.'),
  })
  return {
    catalogue,
    purges: createPurges({ cache, shared, metrics }),
    figures: createCacheFigures({ cache, catalogue, shared, metrics }),
    stop: async () => shared?.stop(),
  }
}
