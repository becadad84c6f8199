import { AppError } from '@halles/kit/errors'
import type { Exchange } from '../answer.ts'
import type { Rate, RateDecision } from '../rate-limit.ts'

type Decision = RateDecision | undefined

/**
 * Counts the request and throws too-many `RATE_LIMITED` past its client's rate. Returns a promise
 * only where the count is asked for elsewhere.
 */
export type LimitRate<Class extends string> = (
  exchange: Exchange,
  rateClass: Class,
) => Promise<void> | undefined

/**
 * The step around a limiter: it counts by the client's bucket and leaves on the exchange what the
 * answer's `RateLimit` and `RateLimit-Policy` say (draft-ietf-httpapi-ratelimit-headers-10).
 * @param options.factor what the limiter multiplies the rates with; 0 when there are no limits.
 * @param options.onLimited told of each refusal.
 */
export function createRateStep<Class extends string>(options: {
  rates: Readonly<Record<Class, Rate>>
  factor: number
  limit: (client: string, rateClass: Class) => Decision | Promise<Decision>
  onLimited: (rateClass: Class) => void
}): LimitRate<Class> {
  const { rates, factor, limit, onLimited } = options
  const classes = Object.keys(rates) as Class[]
  const policies = new Map(
    classes.map((name) => [name, toPolicy(name, rates[name], factor)] as const),
  )

  function settle(exchange: Exchange, rateClass: Class, decision: Decision): void {
    if (!decision) return
    exchange.rate = { decision, name: rateClass, policy: policies.get(rateClass) ?? '' }
    if (decision.isAllowed) return
    onLimited(rateClass)
    throw new AppError('too-many', 'RATE_LIMITED', 'Too many requests; slow down.', {
      retryAfterSeconds: decision.resetSeconds,
    })
  }

  return (exchange, rateClass) => {
    const decision = limit(exchange.client.bucket, rateClass)
    if (decision instanceof Promise) {
      return decision.then((late) => settle(exchange, rateClass, late))
    }
    settle(exchange, rateClass, decision)
    return undefined
  }
}

/** A bucket as the draft's quota and window: full, it is spent at once, and is full again after w. */
function toPolicy(name: string, { perSecond, burst }: Rate, factor: number): string {
  return `"${name}";q=${burst * factor};w=${Math.ceil(burst / perSecond)}`
}
