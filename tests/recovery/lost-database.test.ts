import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { emptyDatabase } from '../../stack/src/backup/catalog.ts'
import { halles } from '../e2e/halles.ts'
import { createShop } from '../e2e/shop.ts'
import { brokersUnderTest } from '../resilience/brokers.ts'
import { inDatabase } from './server.ts'

const recovery = { limitMs: 60_000, intervalMs: 200 }
const subscribers = ['carts', 'wishlists'] as const
// A whole stack with its brokers, on cores that others use too.
const longTest = { timeout: 300_000 }

/** Over Kafka where there are brokers, else over the embedded topic. */
describe('A subscriber that lost its whole database', () => {
  const shop = createShop(
    { HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0' },
    brokersUnderTest.stackArguments,
  )
  const { api, stack } = shop
  const command = halles(stack.dataFolder)
  before(() => stack.start())
  after(() => stack.stop())

  test('learns every product from the topic again, and the shop sells on', longTest, async () => {
    const sold = await shop.sell({ amountMinor: 1_250 })
    const { variantId } = sold
    const odette = await shop.signUp()
    const price = { amountMinor: 1_490, currency: 'EUR' }
    await api.ask('setPrice', {
      params: { variantId },
      token: await shop.admin(),
      body: price,
    })
    await shop.cartWith({ [variantId]: 1 }, odette.token)

    for (const part of subscribers) {
      await stack.stopPart(part)
      await inDatabase(stack, { database: part, role: part }, emptyDatabase)
      await stack.startPart(part)
    }

    await eventually(async () => {
      const cart = await shop.cartWith({ [variantId]: 1 })
      assert.deepEqual(cart.lines[0]?.unitPrice, price)
      const item = { params: { variantId }, token: odette.token }
      await api.ask('putWishlistItem', item)
      const { items } = await api.ask('getWishlist', { token: odette.token })
      assert.deepEqual(items[0]?.price, price)
    }, recovery)
    await shop.paidOrder(variantId)

    for (const part of subscribers) {
      const rebuilt = await command('topics', 'rebuild', part, '--json')
      assert.equal(rebuilt.code, 0, rebuilt.err)
      const { products } = JSON.parse(rebuilt.out) as { products: number }
      assert.ok(products > 0, rebuilt.out)
    }
    await shop.paidOrder(variantId)
  })
})
