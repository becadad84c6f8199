import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { createShop } from '../e2e/shop.ts'
import { brokersUnderTest } from '../resilience/brokers.ts'
import { findPython, noPython } from './python.ts'

const run = promisify(execFile)
const python = await findPython()
const skip = brokersUnderTest.skip || (python ? false : noPython)
// The script has limits of its own, of a minute for each of two waits.
const limitMs = 180_000

describe('A stranger with the published documents', () => {
  const shop = createShop({}, brokersUnderTest.stackArguments)
  if (skip === false) {
    before(() => shop.stack.start())
    after(() => shop.stack.stop())
  }

  test('buys something and reads the events of it, all as described', { skip }, async () => {
    const { kafkaBrokers } = brokersUnderTest.access(shop.stack, '')
    const script = join(import.meta.dirname, 'stranger.py')
    const args = [script, shop.stack.url, kafkaBrokers.join(',')]
    const { stdout } = await run(python ?? '', args, { timeout: limitMs })
    const { status, events } = JSON.parse(stdout)
    assert.equal(status, 'paid')
    assert.deepEqual(events, ['halles.orders.order-placed.v1', 'halles.orders.order-paid.v1'])
  })
})
