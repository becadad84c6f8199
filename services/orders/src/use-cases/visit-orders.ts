import { AppError } from '@halles/kit/errors'
import type { Deps } from '../ports.ts'

// Few at a time, because each costs a call to payments and, through it, to the provider.
const batchSize = 20
// A round ends somewhere; the next one begins at the start again.
const maxBatches = 50

/**
 * Does background work on all orders that there are, batch by batch; returns how many. One that
 * fails for a reason of its own is logged and left for a later round, so that it cannot hold up the
 * others; an outage ends the round, since the next order would meet it too.
 */
export async function visitOrders<T extends { orderId: string }>(
  deps: Pick<Deps, 'log'>,
  find: (after: string | undefined, limit: number) => Promise<readonly T[]>,
  work: (item: T) => Promise<void>,
): Promise<number> {
  let visited = 0
  let after: string | undefined
  for (let batch = 0; batch < maxBatches; batch += 1) {
    const items = await find(after, batchSize)
    await forEachOrder(deps, items, work)
    visited += items.length
    if (items.length < batchSize) break
    after = items.at(-1)?.orderId
  }
  return visited
}

/** The same for orders that are at hand. */
export async function forEachOrder<T extends { orderId: string }>(
  { log }: Pick<Deps, 'log'>,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (const item of items) {
    try {
      await work(item)
    } catch (error) {
      if (error instanceof AppError && error.kind === 'unavailable') throw error
      log.error({ error, orderId: item.orderId }, 'Background work on an order failed.')
    }
  }
}
