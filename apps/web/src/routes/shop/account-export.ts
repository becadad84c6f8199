import type { OrderSummary } from '@halles/contracts/gen/http/orders'
import { type LoaderFunctionArgs, redirect } from 'react-router'
import { attempt, type Page, pageOf, signInPath } from '../../server/page.server.ts'

// A page of the API, and as many orders as a person may ever have placed.
const perPage = 100
const maxPages = 20

/** Everything that the shop knows of its visitor, as a file; all of it or nothing. */
export async function loader(args: LoaderFunctionArgs) {
  const page = pageOf(args)
  if (!page.visit.isSignedIn) throw redirect(signInPath(page))
  const { data } = await attempt(
    Promise.all([page.call('exportMe', {}), readOrders(page), page.call('getWishlist', {})]),
  )
  if (!data) return redirect(page.path('/account/data?away=1'))
  const [own, orders, wishlist] = data
  const body = { ...own.data, orders, wishlist: wishlist.data.items }
  return new Response(`${JSON.stringify(body, undefined, 2)}\n`, {
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': 'attachment; filename="halles-account.json"',
      'cache-control': 'no-store',
    },
  })
}

async function readOrders(page: Page): Promise<OrderSummary[]> {
  const orders: OrderSummary[] = []
  let cursor: string | null = null
  for (let read = 0; read < maxPages; read++) {
    const query: { limit: number; cursor?: string } = { limit: perPage, ...(cursor && { cursor }) }
    const { data } = await page.call('listOrders', { query })
    orders.push(...data.items)
    cursor = data.nextCursor
    if (cursor === null) break
  }
  return orders
}
