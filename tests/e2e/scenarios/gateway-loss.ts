import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Shop } from '../shop.ts'

/** One of two gateways dies; the other one goes on. */
export function gatewayLoss({ stack, api, sell, cartWith, checkout, paidOrder }: Shop): void {
  describe('When one gateway is killed', () => {
    test('shoppers go on reading and buying, and it comes back', async () => {
      const gateways = stack.processes('gateway')
      assert.equal(gateways.length, 2)
      const { variantId } = await sell()
      const cart = await cartWith({ [variantId]: 1 })
      const [killed] = stack.kill(gateways[0]?.instance ?? '')

      for (let count = 0; count < 40; count += 1) {
        const { items } = await api.ask('listProducts', { query: { limit: 3 } })
        assert.equal(items.length, 3)
      }
      const order = await checkout(cart)
      assert.equal(order.status, 'pending_payment')
      await paidOrder(variantId)

      await stack.untilReady('gateway')
      const after = stack.processes('gateway')
      assert.equal(after.length, 2)
      assert.ok(after.every(({ pid }) => pid !== killed))
      const restarted = after.find(({ instance }) => instance === gateways[0]?.instance)
      assert.equal(restarted?.restarts, (gateways[0]?.restarts ?? 0) + 1)
    })
  })
}
