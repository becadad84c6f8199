import { LRUCache } from 'lru-cache'
import type { SharedRates } from './shared-rates.ts'

/** A token bucket: `perSecond` refills it, `burst` is its size. */
export type Rate = { readonly perSecond: number; readonly burst: number }

export type RateDecision = {
  readonly isAllowed: boolean
  /** Requests left now. */
  readonly remaining: number
  /** Seconds until one more is allowed (when refused) or until the bucket is full again. */
  readonly resetSeconds: number
}

type Bucket = Rate & {
  readonly key: string
  tokens: number
  atMs: number
  /** What the other gateways were not told of yet. */
  spent: number
}

// One bucket is some 200 bytes; clients beyond the most recent ones start with a full bucket.
const maxBuckets = 50_000
// Between two reports to the other gateways. With this and the next, a client that uses G gateways
// at once gets at most (G − 1) × (an eighth of a burst, or rate × interval where that is more, and
// what comes during one round trip) above its rate, and pays it back before it is served again.
const settleMs = 100
const settleShare = 1 / 8
// Buckets in one report: some milliseconds of Redis' time, which all gateways share.
const maxSettled = 500
// Buckets that wait for their report; those beyond it are counted here alone.
const maxWaiting = 10_000

/**
 * Counts requests per client and rate class: in this process, and with the other gateways where
 * there are shared rates. A class that is `exact` asks them for each request; any other is decided
 * here at once, told to the others shortly after, and then goes on from what all have left.
 * While the shared rates are away the local buckets decide.
 * @param options.factor multiplies every rate; 0 switches the limits off.
 * @param options.clock monotonic milliseconds.
 */
export function createRateLimiter<Class extends string>(options: {
  rates: Readonly<Record<Class, Rate>>
  factor: number
  exact?: readonly Class[]
  shared?: SharedRates
  clock?: () => number
}): (client: string, rateClass: Class) => RateDecision | undefined | Promise<RateDecision> {
  const { rates, factor, exact = [], shared, clock = () => performance.now() } = options
  const buckets = new LRUCache<string, Bucket>({ max: maxBuckets })
  const spend = shared && createSettlement(shared, clock)

  function bucketOf(client: string, rateClass: Class): Bucket {
    const key = `${rateClass} ${client}`
    const known = buckets.get(key)
    if (known) return known
    const perSecond = rates[rateClass].perSecond * factor
    const burst = rates[rateClass].burst * factor
    const bucket = { key, perSecond, burst, tokens: burst, atMs: clock(), spent: 0 }
    buckets.set(key, bucket)
    return bucket
  }

  /** The local decision was yes: no gateway has seen more of this client than all together. */
  async function confirm(rates: SharedRates, bucket: Bucket): Promise<RateDecision> {
    const taken = await rates.take(bucket)
    if (!taken) return decide(bucket, true)
    adopt(bucket, taken.tokens, clock())
    return decide(bucket, taken.isAllowed)
  }

  return (client, rateClass) => {
    if (factor === 0) return undefined
    const bucket = bucketOf(client, rateClass)
    const isAllowed = take(bucket, clock())
    if (!isAllowed || !shared) return decide(bucket, isAllowed)
    if (exact.includes(rateClass)) return confirm(shared, bucket)
    spend?.(bucket)
    return decide(bucket, true)
  }
}

function take(bucket: Bucket, nowMs: number): boolean {
  const refilled = bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * bucket.perSecond
  bucket.tokens = Math.min(bucket.burst, refilled)
  bucket.atMs = nowMs
  if (bucket.tokens < 1) return false
  bucket.tokens -= 1
  return true
}

function adopt(bucket: Bucket, tokens: number, nowMs: number): void {
  bucket.tokens = tokens
  bucket.atMs = nowMs
}

function decide({ tokens, perSecond, burst }: Bucket, isAllowed: boolean): RateDecision {
  const missing = isAllowed ? burst - tokens : 1 - tokens
  return {
    isAllowed,
    remaining: Math.max(0, Math.floor(tokens)),
    resetSeconds: Math.max(1, Math.ceil(missing / perSecond)),
  }
}

/** Reports what buckets spent, a batch at a time, and adopts what is left. */
function createSettlement(shared: SharedRates, clock: () => number): (bucket: Bucket) => void {
  let waiting: Bucket[] = []
  let timer: NodeJS.Timeout | undefined
  let isSettling = false
  let isUrgent = false

  async function settle(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    isSettling = true
    isUrgent = false
    const batch = waiting.slice(0, maxSettled)
    waiting = waiting.slice(maxSettled)
    // Copies: the buckets go on while the report is on its way.
    const spendings = batch.map((bucket) => ({ ...bucket }))
    for (const bucket of batch) bucket.spent = 0
    const levels = await shared.settle(spendings)
    const nowMs = clock()
    levels?.forEach((level, index) => {
      const bucket = batch[index]
      // What was spent meanwhile is told the next time.
      if (bucket) adopt(bucket, level - bucket.spent, nowMs)
    })
    isSettling = false
    if (isUrgent || waiting.length >= maxSettled) void settle()
    else if (waiting.length > 0) schedule()
  }

  function schedule(): void {
    timer ??= setTimeout(settle, settleMs).unref()
  }

  return (bucket) => {
    if (bucket.spent === 0) {
      if (waiting.length >= maxWaiting) return
      waiting.push(bucket)
    }
    bucket.spent += 1
    if (bucket.spent >= bucket.burst * settleShare) isUrgent = true
    if (isSettling) return
    if (isUrgent) void settle()
    else schedule()
  }
}
