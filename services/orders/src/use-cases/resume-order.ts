import type { Deps } from '../ports.ts'
import { finishCancellations } from './cancel-order.ts'
import { unfinishedAfterMs } from './read-orders.ts'
import { finishRefunds } from './refund-order.ts'
import { sweepCheckouts } from './sweep-checkouts.ts'

export type Resumption = 'finished' | 'unfinished' | 'nothing-to-do'

/**
 * Goes on at once with what stopped half-way, as the jobs do in their next round; what is under way
 * is left alone. Unfinished is what somebody else is at, or what failed: the log says why.
 * @throws unavailable when a neighbour does not answer.
 */
export async function resumeOrder(
  deps: Deps,
  { orderId, by }: { orderId: string; by: string },
): Promise<Resumption> {
  const before = new Date(deps.clock().getTime() - unfinishedAfterMs)
  if (!(await deps.unfinished.has(orderId, before))) return 'nothing-to-do'
  deps.log.warn({ orderId, subjectId: by }, 'An unfinished order is taken up by hand.')
  await sweepCheckouts(deps, unfinishedAfterMs, orderId)
  await finishCancellations(deps, before, orderId)
  await finishRefunds(deps, before, orderId)
  return (await deps.unfinished.has(orderId, before)) ? 'unfinished' : 'finished'
}
