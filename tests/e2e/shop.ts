import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Cart } from '@halles/contracts/gen/http/carts'
import type { NewOrder, Order } from '@halles/contracts/gen/http/orders'
import type { NewProduct, Product, Variant } from '@halles/contracts/gen/http/products'
import { eventually } from '@halles/kit/testing'
import { type Api, createApi } from './api.ts'
import { card, postCard } from './hosted-page.ts'
import { createStackUnderTest, type StackUnderTest } from './stack-under-test.ts'

export type Customer = {
  id: string
  email: string
  password: string
  token: string
  refreshToken: string
}

export type ProductForSale = {
  product: Product
  variant: Variant
  productId: string
  variantId: string
}

/** The steps that people take in the shop, for every scenario. */
export type Shop = {
  stack: StackUnderTest
  api: Api
  /** The access token of the administrator. */
  admin(): Promise<string>
  /** A new product with one variant, known to carts and wishlists. */
  sell(
    wanted?: { amountMinor?: number; quantity?: number } & Partial<NewProduct>,
  ): Promise<ProductForSale>
  signUp(): Promise<Customer>
  /** Signs in as soon as the credentials have reached auth. */
  signIn(email: string, password: string): Promise<{ token: string; refreshToken: string }>
  cartWith(lines: Record<string, number>, token?: string): Promise<Cart>
  checkout(cart: Cart, how?: Checkout): Promise<Order>
  pay(order: Order, number?: string): Promise<void>
  orderBecomes(order: Pick<Order, 'id'>, status: Order['status'], token?: string): Promise<Order>
  stockOf(variantId: string): Promise<{ quantity: number; reserved: number; available: number }>
  /** Bought and paid by a guest. */
  paidOrder(variantId: string, quantity?: number): Promise<Order>
}

export type Checkout = { token?: string | undefined; key?: string; change?: Partial<NewOrder> }

export const shippingAddress = {
  name: 'Odette Marchand',
  line1: '12 rue des Halles',
  postalCode: '75001',
  city: 'Paris',
  country: 'FR',
}

// Ten failed sign-ins would lock the e-mail for a while, so this asks seldom.
const credentialsArrive = { limitMs: 7_000, intervalMs: 800 }

export const unique = () => randomUUID().slice(0, 13)
export const newEmail = () => `shopper-${unique()}@example.com`

export function newOrder(cart: Cart, change: Partial<NewOrder> = {}): NewOrder {
  assert.ok(cart.total, 'An empty cart has nothing to check out.')
  return {
    cartId: cart.id,
    email: newEmail(),
    shippingAddress,
    expectedTotal: cart.total,
    ...change,
  }
}

/** A shop of its own on a stack of its own, which is told `env` and `stackArguments` besides. */
export function createShop(
  env: Record<string, string>,
  stackArguments: readonly string[] = [],
): Shop {
  const stack = createStackUnderTest(env, stackArguments)
  const api = createApi(() => stack.url)
  let adminSession: { token: string; until: number } | undefined

  const shop: Shop = {
    stack,
    api,
    async admin() {
      if (!adminSession || adminSession.until < performance.now()) {
        const body = stack.readJson('admin.json') as { email: string; password: string }
        // Right after a first start the administrator's credentials may still be on their way.
        const { accessToken, expiresInSeconds } = await eventually(
          () => api.ask('signIn', { body }),
          credentialsArrive,
        )
        adminSession = { token: accessToken, until: performance.now() + expiresInSeconds * 500 }
      }
      return adminSession.token
    },
    async sell({ amountMinor = 1_250, quantity = 50, ...rest } = {}) {
      const name = `Basket ${unique()}`
      const sku = `SKU-${unique()}`
      const price = { amountMinor, currency: 'EUR' }
      const body = { title: name, variants: [{ sku, price, quantity }], ...rest }
      const token = await shop.admin()
      // In the first second of a new shop the services may not have heard yet what roles may do.
      const product = await eventually(() => api.ask('createProduct', { token, body }))
      const variant = product.variants[0]
      assert.ok(variant)
      return { product, variant, productId: product.id, variantId: variant.id }
    },
    async signUp() {
      const email = newEmail()
      const password = `market-${unique()}`
      const { id } = await api.ask('signUp', { body: { email, password, name: 'Odette' } })
      return { id, email, password, ...(await shop.signIn(email, password)) }
    },
    async signIn(email, password) {
      const { accessToken, refreshToken } = await eventually(
        () => api.ask('signIn', { body: { email, password } }),
        credentialsArrive,
      )
      return { token: accessToken, refreshToken }
    },
    async cartWith(lines, token) {
      let cart = await api.ask('createCart', { token })
      for (const [variantId, quantity] of Object.entries(lines)) {
        cart = await putLine(shop, { cartId: cart.id, variantId, quantity, token })
      }
      return cart
    },
    checkout: (cart, { token, key = randomUUID(), change } = {}) =>
      api.ask('placeOrder', {
        token,
        headers: { 'idempotency-key': key },
        body: newOrder(cart, change),
      }),
    async pay(order, number = card.good) {
      const { status } = await postCard(order, number)
      assert.equal(status, 303, 'The card page did not take the card.')
    },
    async orderBecomes(order, status, token) {
      return eventually(
        async () => {
          const found = await api.ask('getOrder', { params: { orderId: order.id }, token })
          assert.equal(found.status, status)
          return found
          // The provider repeats a webhook that failed after 5 s, then later.
        },
        { limitMs: 60_000, intervalMs: 100 },
      )
    },
    stockOf: async (variantId) =>
      api.ask('getStock', { params: { variantId }, token: await shop.admin() }),
    async paidOrder(variantId, quantity = 1) {
      const cart = await shop.cartWith({ [variantId]: quantity })
      const order = await shop.checkout(cart)
      await shop.pay(order)
      return shop.orderBecomes(order, 'paid', order.accessToken)
    },
  }
  return shop
}

/** Puts a line as soon as carts has heard of the variant. */
export function putLine(
  { api }: Pick<Shop, 'api'>,
  line: { cartId: string; variantId: string; quantity: number; token?: string | undefined },
): Promise<Cart> {
  const { cartId, variantId, quantity, token } = line
  return eventually(() =>
    api.ask('putCartLine', { params: { cartId, variantId }, body: { quantity }, token }),
  )
}
