import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Order } from '@halles/contracts/gen/http/orders'
import { toProblem } from '../api.ts'
import { createSandboxClient } from '../sandbox.ts'
import { newOrder, type Shop, shippingAddress } from '../shop.ts'

/** Many at once: nothing is sold twice, nothing is ordered twice. */
export function competition(shop: Shop): void {
  const { api, sell, cartWith, stockOf, stack, pay, orderBecomes } = shop

  describe('In a crowd', () => {
    test('sixteen buyers of the last five pieces: five orders, and a clear answer for the rest', async () => {
      const { variantId } = await sell({ quantity: 5 })
      const carts = await Promise.all(
        Array.from({ length: 16 }, () => cartWith({ [variantId]: 1 })),
      )
      const answers = await Promise.all(
        carts.map((cart) =>
          api.send('placeOrder', {
            headers: { 'idempotency-key': randomUUID() },
            body: newOrder(cart),
          }),
        ),
      )
      const placed = answers.filter(({ status }) => status === 201)
      const refused = answers.filter(({ status }) => status !== 201)
      assert.equal(placed.length, 5, JSON.stringify(refused.map(({ body }) => body)))
      assert.equal(new Set(placed.map(({ body }) => (body as Order).id)).size, 5)
      for (const answer of refused) {
        const problem = toProblem(answer)
        assert.deepEqual([problem.status, problem.code], [409, 'OUT_OF_STOCK'])
      }
      const { quantity, reserved, available } = await stockOf(variantId)
      assert.deepEqual([quantity, reserved, available], [5, 5, 0])
    })

    test('the same checkout sent twenty times at once is one order and one charge', async () => {
      const { variantId } = await sell({ quantity: 30 })
      const cart = await cartWith({ [variantId]: 1 })
      const key = randomUUID()
      const request = { headers: { 'idempotency-key': key }, body: newOrder(cart) }
      const orders = await Promise.all(
        Array.from({ length: 20 }, () => api.ask('placeOrder', request)),
      )
      assert.equal(new Set(orders.map(({ id }) => id)).size, 1)
      assert.equal(new Set(orders.map(({ payment }) => payment.redirectUrl)).size, 1)
      assert.equal((await stockOf(variantId)).reserved, 1)

      const [order] = orders as [Order]
      const sessions = await createSandboxClient(stack).sessions()
      const own = sessions.filter((session) => JSON.stringify(session).includes(order.id))
      assert.equal(own.length, 1)
      await pay(order)
      await orderBecomes(order, 'paid', order.accessToken)
      const late = await api.ask('placeOrder', request)
      assert.equal(late.id, order.id)

      const other = { ...request.body, shippingAddress: { ...shippingAddress, city: 'Lyon' } }
      await api.refused('placeOrder', { status: 422 }, { ...request, body: other })
    })

    test('two carts with the same goods in another order never block each other', async () => {
      const [one, two] = await Promise.all([sell({ quantity: 40 }), sell({ quantity: 40 })])
      const forth = { [one.variantId]: 1, [two.variantId]: 1 }
      const back = { [two.variantId]: 1, [one.variantId]: 1 }
      const carts = await Promise.all(
        Array.from({ length: 12 }, (_none, index) => cartWith(index % 2 === 0 ? forth : back)),
      )
      await Promise.all(carts.map((cart) => shop.checkout(cart)))
      assert.equal((await stockOf(one.variantId)).reserved, 12)
      assert.equal((await stockOf(two.variantId)).reserved, 12)
    })
  })
}
