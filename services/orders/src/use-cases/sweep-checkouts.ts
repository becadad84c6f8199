import { abandoned } from '../domain/checkout.ts'
import type { Deps } from '../ports.ts'
import { undo } from './place-order.ts'
import { forEachOrder } from './visit-orders.ts'

// A few at a time: each costs two calls, and the next round follows at once.
const batchSize = 20

/**
 * Ends checkouts that nobody finished: undoes what they hold and refuses them. Returns how many.
 * Stops at the first neighbour that does not answer; a later round goes on.
 */
export async function sweepCheckouts(
  deps: Deps,
  olderThanMs: number,
  orderId?: string,
): Promise<number> {
  const leaseId = deps.newId()
  const limit = batchSize
  const stuck = await deps.checkouts.claimStuck({ leaseId, olderThanMs, limit, orderId })
  try {
    await forEachOrder(deps, stuck, async ({ orderId, state }) => {
      // Those before it may have outlasted the lease: the shopper may have come back, or another
      // replica may be at it.
      if (!(await deps.checkouts.renew({ orderId, leaseId }))) return
      await undo(deps, orderId, { stock: true, payment: true })
      if (state === 'started') await deps.checkouts.refuse({ orderId, leaseId }, abandoned, false)
      else await deps.checkouts.recordCompensation(orderId)
      deps.log.warn({ orderId, state }, 'An unfinished checkout was undone.')
    })
  } finally {
    // Whoever asks again with the same key need not wait for what could not be undone yet.
    const orderIds = stuck.map(({ orderId }) => orderId)
    await deps.checkouts.release(leaseId, orderIds)
  }
  return stuck.length
}

// Deletes in well under the statement time-out.
const pruneBatch = 1_000

/** Forgets ended checkouts that began so long ago; true when there may be more. */
export async function pruneCheckouts(
  { checkouts, clock }: Pick<Deps, 'checkouts' | 'clock'>,
  keepMs: number,
): Promise<boolean> {
  const before = new Date(clock().getTime() - keepMs)
  return (await checkouts.prune(before, pruneBatch)) === pruneBatch
}
