import type { Logger } from '@halles/kit/logging'
import { createLoop } from '@halles/kit/loop'
import type { Metrics } from '@halles/kit/metrics'
import type { Tracer } from '@halles/kit/spans'
import type { Deps, UnfinishedKind } from './ports.ts'
import { expireOrders, finishCancellations } from './use-cases/cancel-order.ts'
import { finishRefunds } from './use-cases/refund-order.ts'
import { pruneCheckouts, sweepCheckouts } from './use-cases/sweep-checkouts.ts'

export type JobTimes = {
  /** Between two looks when there was nothing to do. */
  intervalMs: number
  /** How long a checkout, a cancellation or a refund may go unfinished before a job takes it up. */
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

// An Idempotency-Key answers the same for longer than anybody tries again.
const keepCheckoutsMs = 40 * 86_400_000
const kinds: readonly UnfinishedKind[] = ['checkout', 'compensation', 'cancellation', 'refund']

// Neighbours that are down are asked again soon, but not in step with the other replicas.
const backoff = { baseMs: 1_000, maxMs: 30_000 }

/** The background work of orders, as parts for the life-cycle. */
export function createJobs(
  deps: Deps,
  { logger, metrics, tracer }: { logger: Logger; metrics: Metrics; tracer?: Tracer | undefined },
  times: Partial<JobTimes> = {},
) {
  const { intervalMs, unfinishedMs, expiryMarginMs } = { ...defaultTimes, ...times }
  const unfinished = metrics.gauge({
    name: 'orders_unfinished',
    help: 'Checkouts, cancellations and refunds that stopped half-way, over a minute old.',
    labels: ['kind'],
  })
  const before = (ms: number) => new Date(deps.clock().getTime() - ms)
  // What visits all there is has nothing left to do at once.
  const all = (work: Promise<unknown>) => work.then(() => 0)
  const jobs: Record<string, () => Promise<number>> = {
    'checkout sweeper': () => sweepCheckouts(deps, unfinishedMs),
    'order expiry': () => all(expireOrders(deps, before(expiryMarginMs))),
    'cancellation finisher': () => all(finishCancellations(deps, before(unfinishedMs))),
    'refund finisher': () => all(finishRefunds(deps, before(unfinishedMs))),
    'unfinished work': async () => {
      const counts = new Map(
        (await deps.unfinished.count(before(unfinishedMs))).map(({ kind, count }) => [kind, count]),
      )
      for (const kind of kinds) unfinished.set({ kind }, counts.get(kind) ?? 0)
      return 0
    },
    'checkout pruner': async () => ((await pruneCheckouts(deps, keepCheckoutsMs)) ? 1 : 0),
  }
  return Object.entries(jobs).map(([name, work]) => {
    const loop = createLoop({
      name,
      logger,
      tracer,
      backoff,
      // A full batch has successors; the pause bounds what orders that keep failing can cost.
      round: async () => ((await work()) > 0 ? Math.min(1_000, intervalMs) : intervalMs),
    })
    return { name, start: async () => loop.start(), stop: () => loop.stop() }
  })
}
