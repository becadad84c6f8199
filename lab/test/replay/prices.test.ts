import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { createPriceBoard } from '../../replay/prices.ts'
import { plan } from './rows.ts'

/** A board whose price changes wait until they are let through. */
function createBoard(prices: readonly string[], { refuse = false } = {}) {
  const rows = prices.map((price, index) => ({
    invoice: String(index + 1),
    code: '71053',
    quantity: 1,
    price,
  }))
  const planned = plan(rows)
  const changes: number[] = []
  const board = createPriceBoard(planned, async (_sku, unitMinor) => {
    changes.push(unitMinor)
    if (refuse) throw new Error('No.')
  })
  const purchases = planned.steps.filter((step) => step.kind === 'purchase')
  const held: string[] = []
  const failed: string[] = []
  for (const purchase of purchases) {
    board.hold(purchase).then(
      () => held.push(purchase.key),
      () => failed.push(purchase.key),
    )
  }
  async function release(index: number): Promise<void> {
    const purchase = purchases[index]
    assert.ok(purchase)
    board.release(purchase)
    await setImmediate()
  }
  return { changes, held, failed, release }
}

test('purchases at one price check out together; another price waits for all of them', async () => {
  const { changes, held, release } = createBoard(['3.39', '3.39', '4.25', '3.39'])
  await setImmediate()
  assert.deepEqual([held, changes], [['1-1', '2-1'], []])
  await release(1)
  assert.deepEqual([held.length, changes], [2, []])
  await release(0)
  assert.deepEqual([held, changes], [['1-1', '2-1', '3-1'], [425]])
  await release(2)
  assert.deepEqual([held.at(-1), changes], ['4-1', [425, 339]])
})

test('a price that could not be set fails its purchases, and the next ones go on', async () => {
  const { changes, failed, release } = createBoard(['3.39', '4.25', '4.25', '3.39'], {
    refuse: true,
  })
  await release(0)
  assert.deepEqual([failed, changes], [['2-1', '3-1'], [425]])
  await release(1)
  await release(2)
  assert.deepEqual(
    [failed, changes],
    [
      ['2-1', '3-1', '4-1'],
      [425, 339],
    ],
  )
})
