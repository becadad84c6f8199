import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { eventually } from '@halles/kit/testing'
import { createApi } from '../../tests/e2e/api.ts'
import { card, postCard } from '../../tests/e2e/hosted-page.ts'
import { newOrder, putLine } from '../../tests/e2e/shop.ts'
import type { ImagePlatform } from './platform.ts'

// Ten failed sign-ins would lock the e-mail for a while.
const seldom = { limitMs: 20_000, intervalMs: 2_000 }
// The provider repeats a webhook that failed after 5 s, then later.
const settled = { limitMs: 60_000, intervalMs: 100 }

/** Buys a product as a guest, reads the order as the administrator, and opens the shop's page. */
export async function buy({ url, admin }: ImagePlatform): Promise<string> {
  const api = createApi(() => url)
  const { items } = await eventually(async () => {
    const found = await api.ask('listProducts', { query: { limit: 5 } })
    assert.ok(found.items.length > 0, 'The catalogue is empty.')
    return found
  })
  const product = items[0]
  const variantId = product?.variants[0]?.id
  assert.ok(product && variantId)
  const { id: cartId } = await api.ask('createCart', {})
  const cart = await putLine({ api }, { cartId, variantId, quantity: 1 })
  const headers = { 'idempotency-key': randomUUID() }
  const order = await api.ask('placeOrder', { headers, body: newOrder(cart) })
  assert.equal((await postCard(order, card.good)).status, 303)
  const { accessToken } = await eventually(() => api.ask('signIn', { body: admin }), seldom)
  const paid = await eventually(async () => {
    const found = await api.ask('getOrder', { params: { orderId: order.id }, token: accessToken })
    assert.equal(found.status, 'paid')
    return found
  }, settled)
  const page = await fetch(url, { signal: AbortSignal.timeout(10_000) })
  assert.equal(page.status, 200)
  assert.match(await page.text(), /<html/)
  return `${product.title}: ${paid.status}, ${paid.total.amountMinor} ${paid.total.currency} minor`
}
