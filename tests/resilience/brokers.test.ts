import assert from 'node:assert/strict'
import { after, before, describe } from 'node:test'
import { brokersUnderTest } from './brokers.ts'
import { createDrill } from './drill.ts'
import { away, killed } from './faults.ts'
import { strangersAgree } from './strangers.ts'

/** What must hold afterwards: checker.ts asks both sides, storefront.ts the public API. */
describe('While customers change passwords and prices change,', () => {
  const { skip } = brokersUnderTest
  const drill = createDrill()
  if (skip === false) {
    before(drill.open)
    after(drill.close)
  }

  for (const broker of ['rabbitmq', 'kafka']) {
    drill.survives(killed(broker), { skip })
    drill.survives(away(broker, 20), {
      skip,
      check: ({ counts }) => assert.ok(counts.duringFault > 0, 'Nothing was accepted meanwhile.'),
    })
  }

  strangersAgree(drill, { skip })
})
