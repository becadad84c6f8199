import { randomUUID } from 'node:crypto'
import type { Cart } from '@halles/contracts/gen/http/carts'
import type { Order } from '@halles/contracts/gen/http/orders'
import { card, postCard } from '../../tests/e2e/hosted-page.ts'
import { newOrder, type ProductForSale, type Shop } from '../../tests/e2e/shop.ts'
import { askUntilAnswered, codeOf, granted } from './patience.ts'
import { pick, type Random } from './random.ts'

/** What a buyer did, and was told last. */
export type Purchase = {
  key: string
  orderId: string | undefined
  end: 'paid' | 'declined' | 'left' | 'cancelled' | 'out-of-stock'
}

/** One purchase from the empty cart to its end, however often parts die on the way. */
export async function buy(
  shop: Shop,
  goods: readonly ProductForSale[],
  random: Random,
): Promise<Purchase> {
  const { api } = shop
  const key = randomUUID()
  const plan = { good: pick(random, goods), quantity: 1 + Math.floor(random() * 3), end: random() }
  const placed = await checkOut(shop, plan, key)
  if (!placed) return { key, orderId: undefined, end: 'out-of-stock' }
  const purchase = { key, orderId: placed.id }
  if (plan.end < 0.05) return { ...purchase, end: 'left' }
  if (plan.end < 0.15) {
    await payUntilAnswered(placed, card.declined)
    if (plan.end < 0.1) return { ...purchase, end: 'declined' }
  }
  await payUntilAnswered(placed, card.good)
  if (plan.end < 0.9) return { ...purchase, end: 'paid' }
  // Right after the payment: the cancellation meets the webhook.
  const answer = await askUntilAnswered(() =>
    api.send('cancelOrder', {
      params: { orderId: placed.id },
      body: {},
      token: placed.accessToken,
    }),
  )
  granted(answer)
  return { ...purchase, end: 'cancelled' }
}

async function checkOut(
  { api }: Shop,
  { good, quantity }: { good: ProductForSale; quantity: number },
  key: string,
): Promise<Order | undefined> {
  const { id: cartId } = granted<Cart>(await askUntilAnswered(() => api.send('createCart')))
  const cart = granted<Cart>(
    await askUntilAnswered(() =>
      api.send('putCartLine', {
        params: { cartId, variantId: good.variantId },
        body: { quantity },
      }),
    ),
  )
  const body = newOrder(cart)
  const answer = await askUntilAnswered(() =>
    api.send('placeOrder', { headers: { 'idempotency-key': key }, body }),
  )
  if (codeOf(answer) === 'OUT_OF_STOCK') return undefined
  const order = granted<Order>(answer)
  const again = granted<Order>(
    await askUntilAnswered(() =>
      api.send('placeOrder', { headers: { 'idempotency-key': key }, body }),
    ),
  )
  if (again.id !== order.id) throw new Error(`The key ${key} has two orders.`)
  return order
}

/** The card page belongs to the provider, which is not killed; it may refuse a second payment. */
async function payUntilAnswered(order: Order, number: string): Promise<void> {
  const { status, text } = await postCard(order, number)
  if (status >= 500) throw new Error(`The card page answered ${status}: ${text.slice(0, 200)}`)
}
