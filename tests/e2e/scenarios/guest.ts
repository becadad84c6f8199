import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Order } from '@halles/contracts/gen/http/orders'
import { eventually } from '@halles/kit/testing'
import { card, postCard } from '../hosted-page.ts'
import { newOrder, type Shop } from '../shop.ts'

/** Somebody without an account looks, chooses, pays and gets the order. */
export function guestJourney({ api, sell, cartWith, stockOf, orderBecomes }: Shop): void {
  describe('A guest', () => {
    test('sees a catalogue on the first day, page by page, and finds products by word', async () => {
      const first = await api.ask('listProducts', { query: { limit: 5 } })
      assert.equal(first.items.length, 5)
      assert.ok(first.nextCursor)
      const query = { limit: 5, cursor: first.nextCursor }
      const second = await api.ask('listProducts', { query })
      const ids = new Set([...first.items, ...second.items].map(({ id }) => id))
      assert.equal(ids.size, 10, 'The second page repeats products of the first.')
      const found = await api.ask('listProducts', { query: { q: 'comte' } })
      assert.ok(found.items.some(({ slug }) => slug === 'comte-18-months'))
      const product = await api.ask('getProduct', { params: { idOrSlug: 'comte-18-months' } })
      assert.deepEqual(product.options, ['Weight'])
      assert.equal(product.variants.length, 3)
    })

    test('pays by card and gets the order: stock falls, the cart is empty', async () => {
      const { variantId, productId } = await sell({ amountMinor: 1_990, quantity: 7 })
      const cart = await cartWith({ [variantId]: 2 })
      assert.deepEqual(cart.total, { amountMinor: 3_980, currency: 'EUR' })
      assert.equal(cart.lines[0]?.productId, productId)

      const order = await api.ask('placeOrder', {
        headers: { 'idempotency-key': randomUUID() },
        body: newOrder(cart),
      })
      assert.equal(order.status, 'pending_payment')
      assert.deepEqual(order.total, cart.total)
      const held = await stockOf(variantId)
      assert.deepEqual([held.quantity, held.reserved, held.available], [7, 2, 5])

      assert.equal((await postCard(order, card.good)).status, 303)
      const paid = await orderBecomes(order, 'paid', order.accessToken)
      assert.equal(paid.payment.status, 'paid')
      assert.equal(paid.payment.redirectUrl, null)
      await eventually(async () => {
        const { quantity, reserved, available } = await stockOf(variantId)
        assert.deepEqual([quantity, reserved, available], [5, 0, 5])
      })
      await eventually(async () => {
        const { lines, total } = await api.ask('getCart', { params: { cartId: cart.id } })
        assert.deepEqual({ lines, total }, { lines: [], total: null })
      })
    })

    test('reads the order with its own token only', async () => {
      const { variantId } = await sell()
      const [own, foreign] = (await Promise.all(
        [1, 2].map(async () =>
          api.ask('placeOrder', {
            headers: { 'idempotency-key': randomUUID() },
            body: newOrder(await cartWith({ [variantId]: 1 })),
          }),
        ),
      )) as [Order, Order]
      const params = { orderId: own.id }
      assert.ok(own.accessToken && foreign.accessToken)
      const read = await api.ask('getOrder', { params, token: own.accessToken })
      assert.equal(read.id, own.id)
      await api.refused('getOrder', { status: 401 }, { params })
      await api.refused('getOrder', { status: 404 }, { params, token: foreign.accessToken })
      await api.refused('getCurrentCart', { status: 401 }, { token: own.accessToken })
      await api.refused('listOrders', { status: 401 }, { token: own.accessToken })
    })

    test('cannot check out without an e-mail, nor an empty cart', async () => {
      const { variantId } = await sell()
      const cart = await cartWith({ [variantId]: 1 })
      const { email: _email, ...anonymous } = newOrder(cart)
      const headers = { 'idempotency-key': randomUUID() }
      const missing = await api.refused('placeOrder', { status: 400 }, { headers, body: anonymous })
      assert.deepEqual(
        missing.errors?.map(({ pointer }) => pointer),
        ['/body/email'],
      )
      const empty = await api.ask('createCart')
      const refused = { status: 409, code: 'CART_EMPTY' }
      const body = { ...newOrder(cart), cartId: empty.id }
      await api.refused('placeOrder', refused, {
        headers: { 'idempotency-key': randomUUID() },
        body,
      })
    })
  })
}
