import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { createShop, type Shop } from '../e2e/shop.ts'
import { hurriedRules } from './alerts-files.ts'
import { publishPoison } from './alerts-poison.ts'
import { type Prometheus, startPrometheus } from './alerts-prometheus.ts'
import { withDatabase } from './secrets-search.ts'

const program = process.env.HALLES_TEST_PROMETHEUS
const skip = program === undefined && 'Prometheus is not installed.'

// Looks, rules and what has to last take seconds; a busy machine takes longer.
const patience = { limitMs: 60_000, intervalMs: 500 }
// Whoever holds these relays; the kit's relay takes them for each of its batches.
const relayLocks = '(values (4801297311), (4801297312)) as locks (key)'

describe('An alert, in a Prometheus that is in a hurry,', { skip }, () => {
  let shop: Shop
  let prometheus: Prometheus
  before(async () => {
    shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0' })
    await shop.stack.start()
    prometheus = await startPrometheus(program ?? '', shop.stack, hurriedRules())
  })
  after(async () => {
    await prometheus.stop()
    await shop.stack.stop()
  })

  async function isFiring(alert: string, labels: Record<string, string> = {}): Promise<boolean> {
    return (await prometheus.firing()).some((each) => {
      const wanted = Object.entries({ alertname: alert, ...labels })
      return wanted.every(([name, value]) => each.labels[name] === value)
    })
  }
  const untilFiring = (alert: string, labels?: Record<string, string>) =>
    eventually(() => isFiring(alert, labels), patience)
  const untilOver = (alert: string, labels?: Record<string, string>) =>
    eventually(async () => !(await isFiring(alert, labels)), patience)

  test('is not fired by a shop that is well', async () => {
    const { variantId } = await shop.sell()
    await shop.paidOrder(variantId)
    for (const alert of ['InstanceDown', 'OutboxStuck', 'DeadLetters', 'WebhookFailing']) {
      await untilOver(alert)
    }
  })

  test('tells of a process that stands still, until it goes on', async () => {
    const labels = { service: 'wishlists', severity: 'critical' }
    assert.equal(await isFiring('InstanceDown', labels), false)
    await shop.stack.whileFrozen('wishlists', () => untilFiring('InstanceDown', labels))
    await untilOver('InstanceDown', labels)
  })

  test('tells of messages that nobody relays, until somebody does', async () => {
    const labels = { service: 'products', severity: 'critical' }
    assert.equal(await isFiring('OutboxStuck', labels), false)
    // The locks are the session's, and end with it.
    await withDatabase(shop.stack, 'products', async (run) => {
      await run(`select pg_advisory_lock(key) from ${relayLocks}`)
      await shop.sell()
      await untilFiring('OutboxStuck', labels)
    })
    await untilOver('OutboxStuck', labels)
  })

  test('tells of messages that nobody can apply, until they are discarded', async () => {
    assert.equal(await isFiring('DeadLetters'), false)
    await publishPoison(shop.stack, { price: 'a fortune' })
    await untilFiring('DeadLetters')
    const token = await shop.admin()
    // Each subscriber gives it up for itself.
    await eventually(async () => {
      const { items } = await shop.api.ask('listDeadLetters', { token, query: { limit: 100 } })
      for (const { id: deadLetterId } of items) {
        const body = { reason: 'It was the poison of a test.' }
        await shop.api.ask('discardDeadLetter', { token, params: { deadLetterId }, body })
      }
      assert.equal(await isFiring('DeadLetters'), false)
    }, patience)
  })
})
