import { LRUCache } from 'lru-cache'

/** A token bucket: `perSecond` refills it, `burst` is its size. */
export type Rate = { readonly perSecond: number; readonly burst: number }

export type RateDecision = {
  readonly isAllowed: boolean
  /** Requests left now. */
  readonly remaining: number
  /** Seconds until one more is allowed (when refused) or until the bucket is full again. */
  readonly resetSeconds: number
}

type Bucket = { tokens: number; atMs: number }

// One bucket is some 150 bytes; clients beyond the most recent ones start with a full bucket.
const maxBuckets = 50_000

/**
 * Counts requests per client and rate class, in this process.
 * @param options.factor multiplies every rate; 0 switches the limits off.
 * @param options.clock monotonic milliseconds.
 */
export function createRateLimiter<Class extends string>(options: {
  rates: Readonly<Record<Class, Rate>>
  factor: number
  clock?: () => number
}): (client: string, rateClass: Class) => RateDecision | undefined {
  const { rates, factor, clock = () => performance.now() } = options
  const buckets = new LRUCache<string, Bucket>({ max: maxBuckets })
  return (client, rateClass) => {
    if (factor === 0) return undefined
    const perSecond = rates[rateClass].perSecond * factor
    const burst = rates[rateClass].burst * factor
    const key = `${rateClass} ${client}`
    const nowMs = clock()
    let bucket = buckets.get(key)
    if (bucket === undefined) {
      bucket = { tokens: burst, atMs: nowMs }
      buckets.set(key, bucket)
    }
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * perSecond)
    bucket.atMs = nowMs
    const isAllowed = bucket.tokens >= 1
    if (isAllowed) bucket.tokens -= 1
    const missing = isAllowed ? burst - bucket.tokens : 1 - bucket.tokens
    return {
      isAllowed,
      remaining: Math.floor(bucket.tokens),
      resetSeconds: Math.max(1, Math.ceil(missing / perSecond)),
    }
  }
}
