import { AppError } from '@halles/kit/errors'
import { isUuid } from '@halles/kit/ids'
import type { Caller } from '@halles/kit/tokens'
import { isVisibleTo, type Order, orderNotFound } from '../domain/order.ts'
import type { Entry } from '../domain/timeline.ts'
import type { Deps, OrderFilter, OrderSearch, OrderSummary, Unfinished } from '../ports.ts'

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
  { text, ...query }: Omit<OrderFilter, 'search'> & { text?: string | undefined },
): Promise<{ items: Order[]; nextId: string | undefined }> {
  // One more than asked for tells whether there is another page.
  const search = text === undefined ? undefined : toSearch(text)
  const found = await orders.list({ ...query, search, limit: query.limit + 1 })
  const items = found.slice(0, query.limit)
  return { items, nextId: found.length > query.limit ? items.at(-1)?.id : undefined }
}

/** An id, a part of one, or else the begin of an e-mail. */
function toSearch(text: string): OrderSearch {
  const asked = text.trim().toLowerCase()
  if (isUuid(asked)) return { kind: 'id', id: asked }
  return /^[0-9a-f-]{4,36}$/.test(asked) && /[0-9a-f]{4}/.test(asked)
    ? { kind: 'part-of-id', part: asked }
    : { kind: 'email', begin: asked }
}

// A season: what one statement reads of an index without being felt.
const maxSummaryMs = 92 * 86_400_000
const unpaidAfterMs = 3_600_000

/** What a dashboard shows of a time. @throws invalid when it is too long, or none. */
export async function summarizeOrders(
  { orders, clock }: Pick<Deps, 'orders' | 'clock'>,
  { from, to }: { from: Date; to: Date },
): Promise<OrderSummary> {
  const lengthMs = to.getTime() - from.getTime()
  if (lengthMs <= 0 || lengthMs > maxSummaryMs) {
    const detail = lengthMs <= 0 ? 'is not after from' : 'is more than 92 days after from'
    const message = 'The request has fields that cannot be used.'
    throw new AppError('invalid', 'INVALID_REQUEST', message, {
      errors: [{ pointer: '/query/to', detail }],
    })
  }
  const unpaidBefore = new Date(clock().getTime() - unpaidAfterMs)
  return orders.summarize({ from, to, unpaidBefore })
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
