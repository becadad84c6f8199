import { randomUUID } from 'node:crypto'
import type { Api } from './api.ts'
import { newOrder, type ProductForSale } from './shop.ts'
import type { Walk } from './traffic.ts'

/** What people do all day: reads, cached and not, and writes that nobody may repeat for them. */
export function walksOf(api: Api, { product, variantId }: ProductForSale, token: string): Walk[] {
  const read = async () => {
    await api.ask('listProducts', { query: { limit: 5 } })
    await api.ask('getProduct', { params: { idOrSlug: product.slug } })
    await api.ask('getMe', { token })
    await api.ask('getWishlist', { token })
  }
  const fill = async () => {
    const { id: cartId } = await api.ask('createCart', {})
    await api.ask('putCartLine', { params: { cartId, variantId }, body: { quantity: 1 } })
    return api.ask('getCart', { params: { cartId } })
  }
  const order = async () => {
    const headers = { 'idempotency-key': randomUUID() }
    await api.ask('placeOrder', { headers, body: newOrder(await fill()) })
  }
  return [
    { name: 'read', work: read },
    { name: 'fill a cart', work: fill },
    { name: 'order', work: order },
  ]
}
