import type { Order, OrderSummary } from '@halles/contracts/gen/http/orders'
import { addToCart } from './cart.server.ts'
import { attempt, notFound, type Page, problemOf } from './page.server.ts'

// A browser that buys as a guest more often than this keeps the newest.
const maxTokens = 20
// Of a guest's orders as many as a page shows at once; each is asked for by itself.
const maxGuestOrders = 8
const perPage = 20

/** The tokens of a session with another one; the oldest go. */
export function keepOrderToken(
  held: Readonly<Record<string, string>> = {},
  orderId: string,
  token: string | undefined,
): Readonly<Record<string, string>> {
  if (token === undefined) return held
  const { [orderId]: _, ...others } = held
  return Object.fromEntries([...Object.entries(others), [orderId, token]].slice(-maxTokens))
}

/** An id of an order in an address. @throws a 404 for what is none. */
export function orderIdOf(value: string | null | undefined): string {
  if (value && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)) return value
  throw notFound()
}

/** How an order is called towards people: the end of its id. */
export const numberOfOrder = (id: string) => id.slice(-8).toUpperCase()

/** Bought as a guest in this browser: seen without signing in. */
export function isHeld(page: Page, orderId: string): boolean {
  return page.visit.session?.secrets.orderTokens?.[orderId] !== undefined
}

/** The order with what happened to it, where that can be read. */
export async function readOrder(page: Page, orderId: string) {
  const params = { orderId }
  const [order, timeline] = await Promise.all([
    page.call('getOrder', { params }),
    attempt(page.call('getOrderTimeline', { params })),
  ])
  return { order: order.data, timeline: timeline.data?.data.items ?? null }
}

/** The visitor's orders: the account's page by page, and those that were bought here as a guest. */
export async function readOrders(page: Page) {
  const cursor = page.url.searchParams.get('cursor') ?? ''
  const isSignedIn = page.visit.isSignedIn
  const [own, here] = await Promise.all([
    isSignedIn ? readOwn(page, cursor) : { items: [], nextCursor: null },
    cursor === '' ? readHeld(page) : [],
  ])
  return { isSignedIn, ...own, here }
}

async function readOwn(page: Page, cursor: string) {
  const call = (more: { cursor?: string }) =>
    page.call('listOrders', { query: { limit: perPage, ...more } })
  try {
    return (await call(cursor === '' ? {} : { cursor })).data
  } catch (error) {
    // A cursor that is none: begin anew instead of refusing a bookmark.
    if (cursor === '' || problemOf(error)?.status !== 400) throw error
    return (await call({})).data
  }
}

/** What a list shows of an order. */
export type ListedOrder = Pick<OrderSummary, 'id' | 'status' | 'total' | 'lineCount' | 'placedAt'>

async function readHeld(page: Page): Promise<ListedOrder[]> {
  const ids = Object.keys(page.visit.session?.secrets.orderTokens ?? {}).reverse()
  const orders = await Promise.all(
    ids.slice(0, maxGuestOrders).map(async (orderId) => {
      try {
        return (await page.call('getOrder', { params: { orderId } })).data
      } catch (error) {
        // A token that is too old opens nothing; a service that is away is told on the page.
        const isAway = (problemOf(error)?.status ?? 0) >= 500
        if (isAway || (!problemOf(error) && !(error instanceof Response))) throw error
        return undefined
      }
    }),
  )
  return orders.flatMap((order) => (order ? [toListed(order)] : []))
}

function toListed({ id, status, total, lines, placedAt }: Order): ListedOrder {
  return { id, status, total, lineCount: lines.length, placedAt }
}

/** Puts what was bought into the basket again; returns the titles of what is no longer to be had. */
export async function buyAgain(page: Page, order: Order): Promise<string[]> {
  const missing: string[] = []
  for (const { variantId, quantity, title } of order.lines) {
    try {
      await addToCart(page, { variantId, quantity })
    } catch (error) {
      const problem = problemOf(error)
      if (!problem || problem.status >= 500) throw error
      missing.push(title)
    }
  }
  return missing
}
