import type { Caller } from '@halles/kit/tokens'
import { isVisibleTo, type Order, type OrderStatus, orderNotFound } from '../domain/order.ts'
import type { Entry } from '../domain/timeline.ts'
import type { Deps, Unfinished } from '../ports.ts'

/** Who asks, and whether a permission opens the orders of others. */
export type Reader = { caller: Pick<Caller, 'subjectId' | 'orderId'>; mayAll: boolean }

/** @throws not-found `ORDER_NOT_FOUND`, also for an order of somebody else. */
export async function readOrder(
  { orders }: Pick<Deps, 'orders'>,
  orderId: string,
  { caller, mayAll }: Reader,
): Promise<Order> {
  const order = await orders.find(orderId)
  if (!order || !(mayAll || isVisibleTo(order, caller))) throw orderNotFound()
  return order
}

/** One page of orders, newest first. */
export async function listOrders(
  { orders }: Pick<Deps, 'orders'>,
  query: {
    customerId: string | undefined
    status: OrderStatus | undefined
    before: string | undefined
    limit: number
  },
): Promise<{ items: Order[]; nextId: string | undefined }> {
  // One more than asked for tells whether there is another page.
  const found = await orders.list({ ...query, limit: query.limit + 1 })
  const items = found.slice(0, query.limit)
  return { items, nextId: found.length > query.limit ? items.at(-1)?.id : undefined }
}

/** What happened to an order, oldest first. @throws not-found `ORDER_NOT_FOUND`. */
export async function readTimeline(
  deps: Pick<Deps, 'orders'>,
  orderId: string,
  reader: Reader,
): Promise<Entry[]> {
  await readOrder(deps, orderId, reader)
  return deps.orders.timeline(orderId)
}

// An operator looks at the oldest; their number is a metric.
const unfinishedLimit = 100
// What began just now is under way, not stuck.
export const unfinishedAfterMs = 60_000

/** Work that stopped half-way longer than a minute ago, oldest first. */
export async function listUnfinished({
  unfinished,
  clock,
}: Pick<Deps, 'unfinished' | 'clock'>): Promise<Unfinished[]> {
  return unfinished.list(new Date(clock().getTime() - unfinishedAfterMs), unfinishedLimit)
}
