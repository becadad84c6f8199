import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import type { Input, Operation } from '../api.ts'
import { card, postCard } from '../hosted-page.ts'
import { createSandboxClient } from '../sandbox.ts'
import { newEmail, newOrder, putLine, type Shop } from '../shop.ts'

const recovery = { limitMs: 60_000, intervalMs: 100 }

/** The table "when X is down": what goes on, what says so, what is there afterwards. */
export function outages(shop: Shop): void {
  const { api, stack, admin, sell, signUp, signIn, cartWith, checkout, orderBecomes } = shop
  const { stockOf, paidOrder } = shop
  const euros = (amountMinor: number) => ({ amountMinor, currency: 'EUR' })

  /** 503 with the time after which asking again makes sense. */
  async function isUnavailable<Name extends Operation>(operation: Name, input: Input<Name>) {
    const answer = await api.send(operation, input)
    assert.equal(
      answer.status,
      503,
      `${operation}: ${answer.status} ${JSON.stringify(answer.body)}`,
    )
    assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
  }

  const checkoutOf = (cart: Parameters<typeof newOrder>[0]) => ({
    headers: { 'idempotency-key': randomUUID() },
    body: newOrder(cart),
  })

  describe('When a part is stopped', () => {
    test('auth: who is signed in goes on and buys; signing in has to wait', async () => {
      const { token, email, password } = await signUp()
      const { variantId } = await sell()
      await stack.without('auth', async () => {
        await isUnavailable('signIn', { body: { email, password } })
        await api.ask('getMe', { token })
        const order = await checkout(await cartWith({ [variantId]: 1 }, token), { token })
        assert.equal((await postCard(order, card.good)).status, 303)
        await orderBecomes(order, 'paid', token)
      })
      await signIn(email, password)
    })

    test('rbac: shoppers notice nothing, the staff works by the last known policy', async () => {
      const token = await admin()
      await stack.without('rbac', async () => {
        const { variantId } = await sell()
        await paidOrder(variantId)
        await isUnavailable('listRoles', { token })
      })
      await api.ask('listRoles', { token })
    })

    test('customers: everything but the profile works, signing in too', async () => {
      const { token, email, password } = await signUp()
      const { variantId } = await sell()
      await stack.without('customers', async () => {
        await isUnavailable('getMe', { token })
        await isUnavailable('signUp', { body: { email: newEmail(), password, name: 'Odette' } })
        const fresh = await signIn(email, password)
        await api.ask('getWishlist', { token: fresh.token })
        await paidOrder(variantId)
      })
      await api.ask('getMe', { token })
    })

    test('products: the catalogue is served and marked stale, carts and wishlists work, checkout waits', async () => {
      const { token } = await signUp()
      const { product, variantId, productId } = await sell()
      const other = await sell()
      const cart = await cartWith({ [variantId]: 1, [other.variantId]: 1 }, token)
      await eventually(() => api.ask('putWishlistItem', { params: { variantId }, token }))
      const page = { params: { idOrSlug: product.slug } }
      const query = { query: { limit: 7, sort: 'title' as const } }
      // Both gateways have to have seen the pages: a few requests on connections of their own.
      for (let count = 0; count < 24; count += 1) {
        await api.send('getProduct', { ...page, headers: { connection: 'close' } })
        await api.send('listProducts', { ...query, headers: { connection: 'close' } })
      }
      await stack.without('products', async () => {
        const shown = await api.ask('getProduct', page)
        assert.equal(shown.id, productId)
        // Fresh for 30 s, stale and marked so afterwards.
        await eventually(
          async () => {
            const answer = await api.send('getProduct', page)
            assert.equal(answer.status, 200)
            assert.match(answer.headers.get('cache-status') ?? '', /stale/)
          },
          { limitMs: 60_000, intervalMs: 500 },
        )
        const list = await api.ask('listProducts', query)
        assert.equal(list.items.length, 7)
        const line = { cartId: cart.id, variantId, quantity: 2, token }
        const changed = await putLine(shop, line)
        assert.equal(changed.lines.find((each) => each.variantId === variantId)?.quantity, 2)
        assert.equal((await api.ask('getWishlist', { token })).items.length, 1)
        await isUnavailable('placeOrder', { ...checkoutOf(changed), token })
        const body = euros(1)
        await isUnavailable('setPrice', { token: await admin(), params: { variantId }, body })
      })
      const current = await api.ask('getCurrentCart', { token })
      const request = { ...checkoutOf(current), token }
      await eventually(() => api.ask('placeOrder', request), recovery)
    })

    test('carts: the rest of the shop works, and what was missed is there afterwards', async () => {
      const { token } = await signUp()
      const { variantId } = await sell({ amountMinor: 300 })
      const cart = await cartWith({ [variantId]: 1 })
      await stack.without('carts', async () => {
        await isUnavailable('getCart', { params: { cartId: cart.id } })
        await isUnavailable('placeOrder', checkoutOf(cart))
        await api.ask('listProducts')
        await eventually(() => api.ask('putWishlistItem', { params: { variantId }, token }))
        const body = euros(450)
        await api.ask('setPrice', { token: await admin(), params: { variantId }, body })
      })
      await eventually(async () => {
        const { lines } = await api.ask('getCart', { params: { cartId: cart.id } })
        assert.deepEqual(lines[0]?.unitPrice, euros(450))
        assert.deepEqual(lines[0]?.unitPriceWhenAdded, euros(300))
      }, recovery)
    })

    test('wishlists: the rest of the shop works, and what was missed is there afterwards', async () => {
      const { token } = await signUp()
      const { variantId } = await sell({ amountMinor: 300 })
      await eventually(() => api.ask('putWishlistItem', { params: { variantId }, token }))
      await stack.without('wishlists', async () => {
        await isUnavailable('getWishlist', { token })
        const body = euros(450)
        await api.ask('setPrice', { token: await admin(), params: { variantId }, body })
        // The price reaches carts on its own way, and a checkout before that is refused rightly.
        const cart = await cartWith({ [variantId]: 1 })
        const current = await eventually(async () => {
          const shown = await api.ask('getCart', { params: { cartId: cart.id } })
          assert.deepEqual(shown.total, euros(450))
          return shown
        })
        const order = await checkout(current)
        assert.equal((await postCard(order, card.good)).status, 303)
        await orderBecomes(order, 'paid', order.accessToken)
      })
      await eventually(async () => {
        const { items } = await api.ask('getWishlist', { token })
        assert.deepEqual(items[0]?.price, euros(450))
        assert.deepEqual(items[0]?.priceWhenAdded, euros(300))
      }, recovery)
    })

    test('orders: shoppers browse and fill carts, checkout waits, and the provider settles later', async () => {
      const { variantId } = await sell()
      const order = await checkout(await cartWith({ [variantId]: 1 }))
      const sandbox = createSandboxClient(stack)
      await stack.without('orders', async () => {
        const cart = await cartWith({ [variantId]: 1 })
        await api.ask('listProducts')
        await isUnavailable('placeOrder', checkoutOf(cart))
        assert.equal((await postCard(order, card.good)).status, 303)
        await eventually(async () => {
          const failed = (await sandbox.deliveries()).flatMap(({ state, type, attempts }) =>
            type === 'checkout.session.completed' && state === 'waiting' ? attempts : [],
          )
          return failed.some(({ status }) => status !== null && status >= 500)
        }, recovery)
      })
      await orderBecomes(order, 'paid', order.accessToken)
    })

    test('payments: an order is not placed, nothing stays held, and nothing is charged twice', async () => {
      const { variantId } = await sell({ quantity: 4 })
      const waiting = await checkout(await cartWith({ [variantId]: 1 }))
      const cart = await cartWith({ [variantId]: 1 })
      const request = checkoutOf(cart)
      await stack.without('payments', async () => {
        await isUnavailable('placeOrder', request)
        const read = { params: { orderId: waiting.id }, token: waiting.accessToken }
        assert.equal((await api.ask('getOrder', read)).status, 'pending_payment')
      })
      const order = await eventually(() => api.ask('placeOrder', request), recovery)
      assert.equal((await api.ask('placeOrder', request)).id, order.id)
      assert.equal((await stockOf(variantId)).reserved, 2)
      const sessions = await createSandboxClient(stack).sessions()
      const own = sessions.filter((session) => JSON.stringify(session).includes(order.id))
      assert.equal(own.length, 1)
    })

    test('PostgreSQL, killed: every service comes back by itself, and nothing accepted is lost', async () => {
      const { variantId } = await sell({ quantity: 5 })
      const { token, email, password } = await signUp()
      const cart = await cartWith({ [variantId]: 2 }, token)
      const services = stack.processes().filter(({ part }) => part !== 'postgres')
      stack.kill('postgres')
      await stack.untilReady('postgres')
      const kept = await eventually(async () => {
        const found = await api.ask('getCurrentCart', { token })
        assert.deepEqual(
          found.lines.map((line) => line.quantity),
          [2],
        )
        return found
      }, recovery)
      assert.equal(kept.id, cart.id)
      await eventually(() => signIn(email, password), recovery)
      // Asked again with the same key, as a client has to that got no answer.
      const request = { ...checkoutOf(kept), token }
      const order = await eventually(() => api.ask('placeOrder', request), recovery)
      await eventually(async () => assert.equal((await postCard(order, card.good)).status, 303))
      await orderBecomes(order, 'paid', token)
      await eventually(async () => assert.equal((await stockOf(variantId)).quantity, 3), recovery)
      const after = stack.processes().filter(({ part }) => part !== 'postgres')
      const pids = (list: typeof after) => list.map(({ instance, pid }) => [instance, pid])
      assert.deepEqual(pids(after), pids(services), 'A service was restarted.')
    })
  })
}
