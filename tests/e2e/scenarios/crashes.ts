import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Order } from '@halles/contracts/gen/http/orders'
import { eventually } from '@halles/kit/testing'
import { newEmail, newOrder, putLine, type Shop, unique } from '../shop.ts'

// A crashed part is back within seconds; a command may have waited for the broker's redelivery.
const recovery = { limitMs: 60_000, intervalMs: 100 }

/** kill -9 in the middle of the journey: what was accepted is there afterwards. */
export function crashes(shop: Shop): void {
  const { api, stack, admin, sell, signUp, signIn, cartWith, checkout, pay } = shop
  const { orderBecomes, stockOf } = shop
  const euros = (amountMinor: number) => ({ amountMinor, currency: 'EUR' })

  describe('kill -9', () => {
    test('of auth loses no sign-up and no password that was accepted', async () => {
      const known = await signUp()
      const email = newEmail()
      const password = `market-${unique()}`
      const newPassword = `market-${unique()}`
      stack.kill('auth')
      await api.ask('signUp', { body: { email, password, name: 'Odette' } })
      const change = { currentPassword: known.password, newPassword }
      await api.ask('changePassword', { token: known.token, body: change })
      await stack.untilReady('auth')
      const newcomer = await signIn(email, password)
      await api.ask('getMe', { token: newcomer.token })
      await signIn(known.email, newPassword)
      await eventually(
        () => api.refused('getMe', { status: 401 }, { token: known.token }),
        recovery,
      )
    })

    test('of carts loses no line that was accepted and no price that changed meanwhile', async () => {
      const [first, second] = await Promise.all([sell({ amountMinor: 500 }), sell()])
      const cart = await cartWith({ [first.variantId]: 3 })
      const line = { cartId: cart.id, variantId: second.variantId, quantity: 2 }
      await putLine(shop, line)
      stack.kill('carts')
      const token = await admin()
      const params = { variantId: first.variantId }
      await api.ask('setPrice', { token, params, body: euros(650) })
      await eventually(async () => {
        const { lines } = await api.ask('getCart', { params: { cartId: cart.id } })
        assert.deepEqual(
          lines.map(({ variantId, quantity }) => [variantId, quantity]),
          [
            [first.variantId, 3],
            [second.variantId, 2],
          ],
        )
        assert.deepEqual(lines[0]?.unitPrice, euros(650))
        assert.deepEqual(lines[0]?.unitPriceWhenAdded, euros(500))
      }, recovery)
    })

    test('of wishlists loses no wish that was accepted and no price that changed meanwhile', async () => {
      const { token } = await signUp()
      const { variantId } = await sell({ amountMinor: 500 })
      await eventually(() => api.ask('putWishlistItem', { params: { variantId }, token }))
      stack.kill('wishlists')
      await api.ask('setPrice', { token: await admin(), params: { variantId }, body: euros(700) })
      await eventually(async () => {
        const { items } = await api.ask('getWishlist', { token })
        assert.deepEqual(items[0]?.price, euros(700))
        assert.deepEqual(items[0]?.priceWhenAdded, euros(500))
      }, recovery)
    })

    test('of orders before the payment loses neither order nor money', async () => {
      const { variantId } = await sell({ quantity: 6 })
      const order = await checkout(await cartWith({ [variantId]: 2 }))
      stack.kill('orders')
      await pay(order)
      await eventually(() => orderBecomes(order, 'paid', order.accessToken), recovery)
      await eventually(async () => {
        const { quantity, reserved } = await stockOf(variantId)
        assert.deepEqual([quantity, reserved], [4, 0])
      })
    })

    test('of orders in the middle of checkouts: asked again, each is one order, and stock agrees', async () => {
      const { variantId } = await sell({ quantity: 20 })
      const carts = await Promise.all(Array.from({ length: 6 }, () => cartWith({ [variantId]: 1 })))
      const requests = carts.map((cart) => ({
        headers: { 'idempotency-key': randomUUID() },
        body: newOrder(cart),
      }))
      const first = requests.map((request) => api.send('placeOrder', request))
      // As soon as one of them is through, the others are at different steps.
      await Promise.race(first)
      stack.kill('orders')
      const early = await Promise.all(first)
      const orders = await Promise.all(
        requests.map((request) => eventually(() => api.ask('placeOrder', request), recovery)),
      )
      assert.equal(new Set(orders.map(({ id }) => id)).size, 6)
      for (const [index, { status, body }] of early.entries()) {
        if (status === 201) assert.equal((body as Order).id, orders[index]?.id)
        else assert.ok(status === 503 || status === 502 || status === 504, `Answered ${status}.`)
      }
      assert.equal((await stockOf(variantId)).reserved, 6)
      for (const order of orders) await pay(order)
      await Promise.all(orders.map((order) => orderBecomes(order, 'paid', order.accessToken)))
      await eventually(async () => {
        const { quantity, reserved } = await stockOf(variantId)
        assert.deepEqual([quantity, reserved], [14, 0])
      })
    })

    test('of every part leaves no message given up', async () => {
      const { deadLetters } = await api.ask('getSystem', { token: await admin() })
      assert.equal(deadLetters, 0)
    })
  })
}
