import type { Caller } from '@halles/kit/tokens'
import { isVisibleTo, type Order, type OrderStatus, orderNotFound } from '../domain/order.ts'
import type { Deps } from '../ports.ts'

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
