import assert from 'node:assert/strict'
import { after, before, describe } from 'node:test'
import { createDrill } from './drill.ts'
import { killed, killedInMidBatch } from './faults.ts'

/** What must hold afterwards: checker.ts asks both sides, storefront.ts the public API. */
describe('While customers change passwords and prices change,', () => {
  const drill = createDrill()
  before(drill.open)
  after(drill.close)

  for (const sender of ['customers', 'products']) drill.survives(killed(sender))
  for (const receiver of ['auth', 'carts', 'wishlists']) drill.survives(killed(receiver))

  const commands = killedInMidBatch('customers', 20)
  drill.survives(commands, {
    check: ({ absorbed }) => assert.ok((absorbed ?? 0) >= commands.repeated()),
  })
  const events = killedInMidBatch('products', 20)
  drill.survives(events, {
    check: ({ facts }) => assert.ok(facts.repeatedEvents >= events.repeated()),
  })
})
