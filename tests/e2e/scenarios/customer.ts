import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { createSandboxClient } from '../sandbox.ts'
import { newEmail, type Shop, shippingAddress, unique } from '../shop.ts'

/** Somebody with an account: sessions, wishlist, carts that follow, orders and cancellations. */
export function customerJourney(shop: Shop): void {
  const { api, sell, signUp, signIn, cartWith, checkout, pay, orderBecomes, stockOf } = shop

  describe('A customer', () => {
    test('signs up and signs in, and only the right password opens the door', async () => {
      const { id, email, password, token } = await signUp()
      const me = await api.ask('getMe', { token })
      assert.equal(me.id, id)
      const wrong = { email, password: `${password}!` }
      const unknown = { email: newEmail(), password }
      const expected = { status: 401, code: 'INVALID_CREDENTIALS' }
      const one = await api.refused('signIn', expected, { body: wrong })
      const other = await api.refused('signIn', expected, { body: unknown })
      assert.equal(one.detail, other.detail, 'The answer tells whether an e-mail is known.')
      await api.refused('signUp', { status: 409 }, { body: { email, password, name: 'Again' } })
    })

    test('rotates the refresh token; using one twice ends the session', async () => {
      const { token, refreshToken } = await signUp()
      const second = await api.ask('refreshSession', { body: { refreshToken } })
      assert.notEqual(second.refreshToken, refreshToken)
      await api.ask('getMe', { token: second.accessToken })
      await api.refused('refreshSession', { status: 401 }, { body: { refreshToken } })
      const newest = { refreshToken: second.refreshToken }
      await api.refused('refreshSession', { status: 401 }, { body: newest })
      for (const each of [token, second.accessToken]) {
        await eventually(() => api.refused('getMe', { status: 401 }, { token: each }))
      }
    })

    test('signs out of one device, then of all', async () => {
      const { email, password, token, refreshToken } = await signUp()
      const phone = await signIn(email, password)
      const tablet = await signIn(email, password)
      await api.ask('signOut', { token })
      await api.refused('refreshSession', { status: 401 }, { body: { refreshToken } })
      await eventually(() => api.refused('getMe', { status: 401 }, { token }))
      await api.ask('getMe', { token: phone.token })
      await api.ask('signOutEverywhere', { token: phone.token })
      for (const device of [phone, tablet]) {
        const body = { refreshToken: device.refreshToken }
        await api.refused('refreshSession', { status: 401 }, { body })
        await eventually(() => api.refused('getMe', { status: 401 }, { token: device.token }))
      }
    })

    test('keeps a wishlist that nobody else sees', async () => {
      const [owner, other] = await Promise.all([signUp(), signUp()])
      const { variantId, product } = await sell({ amountMinor: 640 })
      const put = { params: { variantId }, token: owner.token }
      const item = await eventually(() => api.ask('putWishlistItem', put))
      assert.equal(item.title, product.title)
      assert.deepEqual(item.priceWhenAdded, { amountMinor: 640, currency: 'EUR' })
      const again = await api.ask('putWishlistItem', put)
      assert.equal(again.addedAt, item.addedAt)
      const { items } = await api.ask('getWishlist', { token: owner.token })
      assert.deepEqual(
        items.map((each) => each.variantId),
        [variantId],
      )
      assert.deepEqual((await api.ask('getWishlist', { token: other.token })).items, [])
      await api.ask('removeWishlistItem', put)
      assert.deepEqual((await api.ask('getWishlist', { token: owner.token })).items, [])
    })

    test('keeps addresses and a name, and takes all of it away', async () => {
      const { token, email } = await signUp()
      const { id } = await api.ask('addAddress', { token, body: shippingAddress })
      await api.ask('updateMe', { token, body: { name: 'Odette M.' } })
      const taken = await api.ask('exportMe', { token })
      assert.equal(taken.customer.email, email)
      assert.equal(taken.customer.name, 'Odette M.')
      assert.deepEqual(taken.addresses, [{ id, address: shippingAddress }])
      await api.ask('removeAddress', { token, params: { addressId: id } })
      assert.deepEqual((await api.ask('listAddresses', { token })).items, [])
    })

    test('finds the cart that was filled before signing in', async () => {
      const { token } = await signUp()
      const [shared, own, guests] = await Promise.all([sell(), sell(), sell()])
      await cartWith({ [shared.variantId]: 1, [own.variantId]: 3 }, token)
      const guestCart = await cartWith({ [shared.variantId]: 2, [guests.variantId]: 1 })
      const claim = { params: { cartId: guestCart.id }, token }
      const merged = await api.ask('claimCart', claim)
      const expected = { [shared.variantId]: 3, [own.variantId]: 3, [guests.variantId]: 1 }
      const quantities = (lines: typeof merged.lines) =>
        Object.fromEntries(lines.map(({ variantId, quantity }) => [variantId, quantity]))
      assert.deepEqual(quantities(merged.lines), expected)
      assert.deepEqual(quantities((await api.ask('claimCart', claim)).lines), expected)
      const current = await api.ask('getCurrentCart', { token })
      assert.deepEqual(quantities(current.lines), expected)
      const stranger = await signUp()
      await api.refused(
        'getCart',
        { status: 404 },
        { params: { cartId: current.id }, token: stranger.token },
      )
      await api.refused('getCart', { status: 404 }, { params: { cartId: current.id } })
    })

    test('finds the orders of before, page by page, and nobody else’s', async () => {
      const { token } = await signUp()
      const { variantId } = await sell()
      const placed: string[] = []
      for (const _each of [1, 2, 3]) {
        const cart = await cartWith({ [variantId]: 1 }, token)
        placed.unshift((await checkout(cart, { token })).id)
      }
      const first = await api.ask('listOrders', { token, query: { limit: 2 } })
      assert.ok(first.nextCursor)
      const query = { limit: 2, cursor: first.nextCursor }
      const second = await api.ask('listOrders', { token, query })
      assert.deepEqual(
        [...first.items, ...second.items].map(({ id }) => id),
        placed,
      )
      assert.equal(second.nextCursor, null)
      const stranger = await signUp()
      assert.deepEqual((await api.ask('listOrders', { token: stranger.token })).items, [])
      const params = { orderId: placed[0] ?? '' }
      await api.refused('getOrder', { status: 404 }, { params, token: stranger.token })
      await api.refused('cancelOrder', { status: 404 }, { params, token: stranger.token, body: {} })
      const all = { query: { all: true }, token }
      await api.refused('listOrders', { status: 403, code: 'FORBIDDEN' }, all)
    })

    test('cancels an unpaid order: its stock is free again and it cannot be paid', async () => {
      const { token } = await signUp()
      const { variantId } = await sell({ quantity: 4 })
      const order = await checkout(await cartWith({ [variantId]: 3 }, token), { token })
      assert.equal((await stockOf(variantId)).available, 1)
      const params = { orderId: order.id }
      const cancelled = await api.ask('cancelOrder', {
        params,
        token,
        body: { reason: 'Too many.' },
      })
      assert.equal(cancelled.status, 'cancelled')
      await eventually(async () => {
        const { quantity, reserved } = await stockOf(variantId)
        assert.deepEqual([quantity, reserved], [4, 0])
      })
      await assert.rejects(pay(order), /did not take the card/)
      const after = await api.ask('getOrder', { params, token })
      assert.deepEqual([after.status, after.payment.status], ['cancelled', 'cancelled'])
    })

    test('cancels a paid order and gets the money back, once', async () => {
      const { token } = await signUp()
      const { variantId } = await sell({ amountMinor: 4_321, quantity: 4 })
      const order = await checkout(await cartWith({ [variantId]: 2 }, token), { token })
      await pay(order)
      await orderBecomes(order, 'paid', token)
      const request = { params: { orderId: order.id }, token, body: { reason: `No. ${unique()}` } }
      const cancelled = await api.ask('cancelOrder', request)
      assert.deepEqual([cancelled.status, cancelled.payment.status], ['cancelled', 'refunded'])
      const again = await api.ask('cancelOrder', request)
      assert.equal(again.status, 'cancelled')
      const refunds = await createSandboxClient(shop.stack).refundsOf(order)
      assert.deepEqual(
        refunds.map(({ amount }) => amount),
        [8_642],
      )
      await eventually(async () => {
        const { quantity, reserved } = await stockOf(variantId)
        assert.deepEqual([quantity, reserved], [4, 0])
      })
    })

    test('who has no account cannot do what needs one', async () => {
      for (const operation of ['getMe', 'getWishlist', 'listOrders', 'getCurrentCart'] as const) {
        await api.refused(operation, { status: 401 })
        await api.refused(operation, { status: 401 }, { token: randomUUID() })
      }
    })
  })
}
