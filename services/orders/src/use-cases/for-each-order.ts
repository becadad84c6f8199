import { AppError } from '@halles/kit/errors'
import type { Deps } from '../ports.ts'

/**
 * Does background work order by order. One that fails for a reason of its own is logged and left for
 * a later round, so that it cannot hold up the others; an outage ends the round, since the next
 * order would meet it too.
 */
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
