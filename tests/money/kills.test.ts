import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createShop } from '../e2e/shop.ts'
import { crowds } from './crowds.ts'
import { drill } from './drill.ts'

// `node tests/money/kills.ts` does it with two thousand, and with other seeds.
const checkouts = 60
const seed = 20_260_101

describe('Money is exact on the running shop', () => {
  const shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0' })
  before(() => shop.stack.start())
  after(() => shop.stack.stop())

  crowds(shop)

  test('kill -9 of services and database while shoppers buy loses and doubles nothing', async () => {
    const { faults, bought, kills, held } = await drill(shop, { checkouts, seed })
    assert.deepEqual(faults, [], JSON.stringify({ bought, kills, held }))
    assert.ok(Object.keys(kills).length > 0, 'Nothing was killed.')
    assert.ok((bought.paid ?? 0) > 0, 'Nobody bought anything.')
  })
})
