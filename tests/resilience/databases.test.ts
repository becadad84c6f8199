import { after, before, describe } from 'node:test'
import { createDrill } from './drill.ts'
import { receiversPostgresKilled, sendersPostgresKilled } from './faults.ts'

/** What must hold afterwards: checker.ts asks both sides, storefront.ts the public API. */
describe('While customers change passwords and prices change,', () => {
  const drill = createDrill()
  before(drill.open)
  after(drill.close)

  drill.survives(sendersPostgresKilled)
  drill.survives(receiversPostgresKilled)
})
