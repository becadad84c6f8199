import type { Logger } from '@halles/kit/logging'
import { createLoop } from '@halles/kit/loop'
import type { Tracer } from '@halles/kit/spans'
import type { Deps } from './ports.ts'
import { type Progress, reconcile } from './use-cases/reconcile.ts'

export type JobTimes = {
  /** Before the first comparison and between two. */
  reconcileEveryMs: number
  /** How far back payments are compared each time; what is unfinished is, however old it is. */
  reconcileBackMs: number
  pruneEveryMs: number
  /** How long concluded events are kept. */
  keepEventsMs: number
}

const defaultTimes: JobTimes = {
  reconcileEveryMs: 10 * 60_000,
  // A page to pay on is open for half an hour; this sees each several times after its end.
  reconcileBackMs: 2 * 3_600_000,
  pruneEveryMs: 3_600_000,
  // The provider can be asked about its events for a month, and banks argue about a charge for three.
  keepEventsMs: 100 * 86_400_000,
}

// Neighbours that are down are asked again soon, but not in step with the other replicas.
const backoff = { baseMs: 5_000, maxMs: 120_000 }
// A run that is not over goes on after a moment in which others can work.
const roundMs = 10_000
const pauseMs = 500
// Deletes in well under the statement time-out.
const pruneBatch = 1_000

/** The background work of payments, as parts for the life-cycle. */
export function createJobs(
  deps: Deps,
  { logger, tracer }: { logger: Logger; tracer?: Tracer | undefined },
  times: Partial<JobTimes> = {},
) {
  const all = { ...defaultTimes, ...times }
  const jobs = {
    reconciliation: createReconciliation(deps, all),
    'event pruner': async () => {
      const before = new Date(deps.clock().getTime() - all.keepEventsMs)
      const pruned = await deps.events.prune(before, pruneBatch)
      return pruned === pruneBatch ? 0 : all.pruneEveryMs
    },
  }
  return Object.entries(jobs).map(([name, round]) => {
    const loop = createLoop({ name, logger, tracer, backoff, round })
    return { name, start: async () => loop.start(), stop: () => loop.stop() }
  })
}

function createReconciliation(deps: Deps, times: JobTimes): () => Promise<number> {
  let isFirst = true
  let underWay: { window: { from: Date; to: Date }; progress: Progress } | undefined
  return async () => {
    // Not at once: after an outage the provider's own repetitions do most of it.
    if (isFirst) {
      isFirst = false
      return times.reconcileEveryMs
    }
    const to = deps.clock()
    const window = underWay?.window ?? {
      from: new Date(to.getTime() - times.reconcileBackMs),
      to,
    }
    const progress = underWay?.progress ?? null
    const { next, ...report } = await reconcile(deps, {
      window,
      progress,
      budgetMs: roundMs,
      isForced: false,
    })
    const { compared, repaired } = report
    const findings = report.findings.length
    if (repaired > 0 || findings > 0) {
      deps.log.warn({ compared, repaired, findings }, 'Payments and the provider differed.')
    }
    underWay = next ? { window, progress: next } : undefined
    return next ? pauseMs : times.reconcileEveryMs
  }
}
