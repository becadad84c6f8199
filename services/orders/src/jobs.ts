import type { Logger } from '@halles/kit/logging'
import { createLoop } from '@halles/kit/loop'
import type { Deps } from './ports.ts'
import { expireOrders, finishCancellations } from './use-cases/cancel-order.ts'
import { sweepCheckouts } from './use-cases/sweep-checkouts.ts'

export type JobTimes = {
  /** Between two looks when there was nothing to do. */
  intervalMs: number
  /** How long a checkout, or a cancellation, may go unfinished before a job takes it up. */
  unfinishedMs: number
  /** How long after the time to pay an order waits for the provider's word. */
  expiryMarginMs: number
}

const defaultTimes: JobTimes = {
  intervalMs: 15_000,
  // Much longer than any checkout takes, and long enough for the shopper's client to try again.
  unfinishedMs: 60_000,
  // A payment of the last minute whose webhook is late should not be returned; the stock is held
  // for another quarter of an hour after this.
  expiryMarginMs: 10 * 60_000,
}

// Neighbours that are down are asked again soon, but not in step with the other replicas.
const backoff = { baseMs: 1_000, maxMs: 30_000 }

/** The background work of orders, as parts for the life-cycle. */
export function createJobs(deps: Deps, logger: Logger, times: Partial<JobTimes> = {}) {
  const { intervalMs, unfinishedMs, expiryMarginMs } = { ...defaultTimes, ...times }
  const before = (ms: number) => new Date(deps.clock().getTime() - ms)
  const jobs: Record<string, () => Promise<number>> = {
    'checkout sweeper': () => sweepCheckouts(deps, unfinishedMs),
    'order expiry': () => expireOrders(deps, before(expiryMarginMs)),
    'cancellation finisher': () => finishCancellations(deps, before(unfinishedMs)),
  }
  return Object.entries(jobs).map(([name, work]) => {
    const loop = createLoop({
      name,
      logger,
      backoff,
      // A full batch has successors; the pause bounds what orders that keep failing can cost.
      round: async () => ((await work()) > 0 ? Math.min(1_000, intervalMs) : intervalMs),
    })
    return { name, start: async () => loop.start(), stop: () => loop.stop() }
  })
}
