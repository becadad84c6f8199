import type { Message } from '@halles/kit/messaging'
import type { Metrics } from '@halles/kit/metrics'
import type { Cache } from './cache.ts'
import type { SharedCache } from './shared-cache.ts'

export type Purges = {
  /** Drops what a change makes untrue. Once it resolves, this gateway never shows it again. */
  apply(message: Pick<Message, 'id' | 'time'>, tags: readonly string[]): Promise<void>
  /** The events come in from now on. */
  begin(): void
}

// From a broker next door to an outage of minutes, in seconds.
const delayBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 90, 600]

/** Purges both levels of the cache. */
export function createPurges(options: {
  cache: Cache
  shared?: SharedCache | undefined
  metrics: Metrics
  /** Wall-clock milliseconds. */
  now?: () => number
}): Purges {
  const { cache, shared, metrics, now = Date.now } = options
  const delay = metrics.histogram({
    name: 'gateway_cache_purge_delay_seconds',
    help: 'Time from a change to its purge in this gateway; the count is that of the purges.',
    buckets: delayBuckets,
  })
  return {
    async apply({ id, time }, tags) {
      // The shared level first: what it holds would else come back from there.
      await shared?.purge(id, tags)
      for (const tag of tags) cache.purge(tag)
      // Our clock may be behind that of who sent it, and a stranger's time may be none.
      const delayMs = Math.max(0, now() - Date.parse(time))
      if (Number.isFinite(delayMs)) delay.observe(delayMs / 1_000)
    },
    begin() {
      // What was held here before the events came in may show what they told. What the others hold
      // was purged by them meanwhile; the shared level finds out whether there was anybody.
      cache.clear()
      shared?.join()
    },
  }
}
