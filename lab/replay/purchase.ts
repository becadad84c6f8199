import { setTimeout as delay } from 'node:timers/promises'
import type { Cart } from '@halles/contracts/gen/http/carts'
import type { NewOrder, Order } from '@halles/contracts/gen/http/orders'
import { card } from '../../tests/e2e/hosted-page.ts'
import { type Client, isRefused } from './client.ts'
import { countryCode } from './countries.ts'
import type { Goods } from './goods.ts'
import { currency } from './invoices.ts'
import type { People } from './people.ts'
import type { Purchase } from './plan.ts'
import { createPolling, type Polling } from './polling.ts'

export type PlacedOrder = { id: string; redirectUrl: string; token: string | undefined }

/** What a shopper does, step by step. */
export type Shopper = {
  /** An empty cart: a new one for a guest, the customer's own otherwise. */
  openCart(purchase: Purchase): Promise<string>
  fillCart(cartId: string, purchase: Purchase, onLine: () => void): Promise<void>
  checkout(cartId: string, purchase: Purchase): Promise<PlacedOrder>
  /** Pays on the provider's page and waits until the shop says that the order is paid. */
  pay(order: PlacedOrder): Promise<void>
}

// Carts hear of new goods and of what was bought by messages.
const newsLimitMs = 30_000
const newsPauseMs = 25
// The provider repeats a webhook that failed after seconds, then later.
const paidLimitMs = 90_000

export function createShopper(shop: { client: Client; people: People; goods: Goods }): Shopper {
  const { client, people, goods } = shop
  const paid: Polling = createPolling({ firstMs: 60, limitMs: paidLimitMs })
  const tokenOf = ({ customer }: Purchase) =>
    customer === null ? undefined : people.customer(customer)

  async function putLine(path: string, quantity: number, token: string | undefined) {
    const endsAtMs = performance.now() + newsLimitMs
    for (;;) {
      try {
        await client.tell({ method: 'PUT', path, body: { quantity }, token })
        return
      } catch (error) {
        if (!isRefused(error, 'VARIANT_NOT_FOUND') || performance.now() > endsAtMs) throw error
        await delay(newsPauseMs)
      }
    }
  }

  return {
    async openCart(purchase) {
      const endsAtMs = performance.now() + newsLimitMs
      for (;;) {
        const token = await tokenOf(purchase)
        const cart = await client.ask<Cart>({ method: 'POST', path: '/carts', token })
        if (cart.lines.length === 0) return cart.id
        // What the customer bought before leaves the cart a moment after it is paid.
        if (performance.now() > endsAtMs) throw new Error('The cart keeps what was bought.')
        await delay(newsPauseMs)
      }
    },
    async fillCart(cartId, purchase, onLine) {
      for (const { sku, quantity } of purchase.lines) {
        const path = `/carts/${cartId}/lines/${goods.variantOf(sku)}`
        await putLine(path, quantity, await tokenOf(purchase))
        onLine()
      }
    },
    async checkout(cartId, purchase) {
      const token = await tokenOf(purchase)
      const { id, payment, accessToken } = await client.ask<Order>({
        method: 'POST',
        path: '/orders',
        key: `replay-${purchase.key}`,
        body: toNewOrder(cartId, purchase),
        token,
      })
      return { id, redirectUrl: payment.redirectUrl ?? '', token: token ?? accessToken }
    },
    async pay({ id, redirectUrl, token }) {
      const fields = { number: card.good, expiry: '12/40', cvc: '123' }
      await client.postForm(redirectUrl, fields)
      await paid.until(async () => {
        const order = await client.ask<Order>({ method: 'GET', path: `/orders/${id}`, token })
        return order.status === 'pending_payment' ? `is ${order.status}` : undefined
      }, `Order ${id}`)
    },
  }
}

/** The shop has prices of its own: the total is the file's, and another one would be refused. */
function toNewOrder(cartId: string, { key, customer, country, totalMinor }: Purchase): NewOrder {
  const name = customer === null ? `Guest ${key}` : `Customer ${customer}`
  return {
    cartId,
    email: `${customer === null ? `guest-${key}` : `customer-${customer}`}@example.com`,
    shippingAddress: {
      name,
      line1: `1 Invoice Street, ${key}`,
      postalCode: 'N1 9GU',
      city: 'London',
      country: countryCode(country),
    },
    expectedTotal: { amountMinor: totalMinor, currency },
  }
}
