import type { Part } from '@halles/kit/lifecycle'
import type { Logger } from '@halles/kit/logging'
import { createLoop } from '@halles/kit/loop'
import type { Deps } from './ports.ts'

// Expired rows are refused anyway; this only keeps the tables small.
const intervalMs = 60_000

/** Deletes expired sessions, used tokens and counts of failures, in bounded batches. */
export function createSessionPruner(
  { sessions, clock }: Pick<Deps, 'sessions' | 'clock'>,
  logger: Logger,
): Part {
  const loop = createLoop({
    name: 'session pruner',
    logger,
    backoff: { baseMs: 1_000, maxMs: 60_000 },
    round: async () => ((await sessions.prune(clock())) ? 0 : intervalMs),
  })
  return {
    name: 'session pruner',
    start: async () => loop.start(),
    stop: () => loop.stop(),
  }
}
