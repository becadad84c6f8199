import type { SystemState } from '@halles/contracts/gen/http/gateway'
import type { Metrics } from '@halles/kit/metrics'
import type { Cache } from './cache.ts'
import type { CatalogueCache } from './catalogue-cache.ts'
import type { SharedCache } from './shared-cache.ts'

/** What an operator is told of the cache. */
export type CacheFigures = () => SystemState['cache']

/** Tells metrics and operators of the cache. */
export function createCacheFigures(options: {
  cache: Cache
  catalogue: CatalogueCache
  shared?: SharedCache | undefined
  metrics: Metrics
}): CacheFigures {
  const { cache, catalogue, shared, metrics } = options
  const gauge = (name: string, help: string, read: () => number) =>
    metrics.gauge({ name, help, collect: (each) => each.set(read()) })
  gauge('gateway_cache_entries', 'Answers held in this process.', () => cache.stats().entries)
  gauge('gateway_cache_bytes', 'What they take.', () => cache.stats().bytes)
  if (shared) {
    const help = 'Whether this gateway uses the cache that all share (1) or its own alone (0).'
    gauge('gateway_shared_cache_usable', help, () => Number(shared.isUsable()))
  }
  const answers = metrics.counter({
    name: 'gateway_cache_answers_total',
    help: 'Answers of routes with a cache rule, by how they were found; collapsed ones once more.',
    labels: ['found'],
  })
  // Counted as plain numbers, since a label costs more than the look-up, and copied when asked for.
  Object.assign(answers, {
    collect() {
      answers.reset()
      for (const [found, count] of Object.entries(catalogue.counts())) answers.inc({ found }, count)
    },
  })
  return () => {
    const { hit, stale, shared: sharedHits, ...others } = catalogue.counts()
    const misses = ['stored', 'renewed', 'revalidated', 'miss', 'uncacheable'] as const
    return {
      ...cache.stats(),
      hits: hit + stale,
      sharedHits,
      misses: misses.reduce((sum, way) => sum + others[way], others['stale-if-error']),
      shared: shared ? (shared.isUsable() ? 'used' : 'away') : 'none',
    }
  }
}
