import { describe } from 'node:test'
import { createShop } from '../../e2e/shop.ts'
import { createSeenPages } from './catalogue.ts'
import { faults } from './faults.ts'
import { createTrials } from './isolation.ts'
import { createCrowds, serviceRows } from './rows.ts'
import { settings } from './settings.ts'

describe('The shop while one service is away or late:', () => {
  const shop = createShop(settings)
  const crowds = createCrowds(shop)
  const seen = createSeenPages(shop, faults.filter(({ isAway }) => isAway).length)
  const trials = createTrials(shop, {
    async prepare() {
      await seen.see()
      await crowds.open()
    },
  })

  for (const row of serviceRows(shop, crowds, seen.staleCatalogue)) {
    for (const fault of faults) trials.endures(row, fault)
  }
})
