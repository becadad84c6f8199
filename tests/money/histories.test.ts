import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { checkHistories, describeFailure } from './check.ts'
import { dedupeBeforeEffect, priceFromCart, refundWithoutLock } from './sabotage.ts'
import type { Sabotage } from './services.ts'
import { openWorld, type World } from './world.ts'

// `node tests/money/search.ts` plays as many as there is time for, with other seeds.
const runs = 150
const seed = 20_260_101
// Each planted bug shows long before.
const plantedRuns = 600

describe('Money is exact, whatever shoppers, staff, banks and crashes do', () => {
  let world: World
  before(async () => {
    world = await openWorld()
  })
  after(() => world.close())

  test(`in ${runs} random histories`, async () => {
    const { failure, totals } = await checkHistories(world, { runs, seed })
    assert.equal(failure, null, failure ? describeFailure(failure) : '')
    assert.ok(totals.paid > runs / 10, `Only ${totals.paid} orders were paid.`)
  })

  const planted: [string, Sabotage, RegExp][] = [
    [
      'a webhook that counts as done before its effect is found out',
      dedupeBeforeEffect,
      /was answered duplicate, but (payments|orders) does not know/,
    ],
    [
      'a refund that is decided without a lock is found out',
      refundWithoutLock,
      /gives back \d+ of \d+ that were taken/,
    ],
    [
      'a price that is taken from the cart is found out',
      priceFromCart,
      /What costs [\d,]+ is charged at \d+/,
    ],
  ]
  for (const [title, sabotage, complaint] of planted) {
    test(title, async () => {
      const { failure } = await checkHistories(world, {
        runs: plantedRuns,
        seed,
        sabotage,
        shrinks: 20,
      })
      assert.ok(failure, 'The planted bug was not noticed.')
      assert.match(failure.message, complaint)
    })
  }
})
