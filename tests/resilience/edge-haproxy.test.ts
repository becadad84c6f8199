import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { createApi } from '../e2e/api.ts'
import { createShop } from '../e2e/shop.ts'
import { withTraffic } from '../e2e/traffic.ts'
import { walksOf } from '../e2e/walks.ts'
import { type SteadyReads, startSteadyReads } from './steady-reads.ts'

const skip = process.env.HALLES_TEST_HAPROXY ? false : 'HAProxy is not installed'

// Every part is started twice and drains twice, on cores that other tests may use too.
const rolling = { skip, timeout: 240_000 }
const recovery = { limitMs: 60_000, intervalMs: 100 }
const perSecond = 100
// What is read before a fault, so that connections stand and caches are filled, and after it.
const around = 300

describe('A balancer before two gateways', () => {
  const shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0', LOG_LEVEL: 'warn' }, [
    '--edge',
    'haproxy',
  ])
  const { stack, sell, signUp, cartWith } = shop
  before(() => (skip ? undefined : stack.start()))
  after(() => stack.stop())

  const readMore = (reads: SteadyReads) => {
    const from = reads.figures().requests
    return eventually(() => reads.figures().requests - from >= around, recovery)
  }

  /** The catalogue, which the gateways hold, and a cart, for which its service is asked. */
  async function startReads(): Promise<SteadyReads> {
    const { variantId } = await sell()
    const cart = await cartWith({ [variantId]: 1 })
    const targets = ['/api/v1/products?limit=5', `/api/v1/carts/${cart.id}`]
    return startSteadyReads(stack.url, { targets, perSecond })
  }

  test('a gateway that is killed takes no read with it', { skip }, async () => {
    const reads = await startReads()
    await readMore(reads)
    const [killed] = stack.kill('gateway-1')
    await eventually(() => {
      const [now] = stack.processes('gateway-1')
      return now?.state === 'ready' && now.pid !== killed
    }, recovery)
    await readMore(reads)
    nothingFailed((await reads.stop()).failures)
  })

  test(
    'every service is restarted, one process after another, and no request fails',
    rolling,
    async () => {
      const product = await sell({ quantity: 100_000 })
      await cartWith({ [product.variantId]: 1 })
      const customer = await signUp()
      const started = stack.processes().filter(({ ports }) => ports.metrics !== undefined)
      const api = createApi(() => stack.url, { readTries: 1 })
      const reads = await startReads()
      const failures = await withTraffic(walksOf(api, product, customer.token), async () => {
        await stack.restart('all')
      })
      const { failures: failedReads } = await reads.stop()
      for (const { part, instance, pid } of started.filter(({ part }) => part !== 'haproxy')) {
        const [now] = stack.processes(instance)
        assert.equal(now?.state, 'ready', part)
        assert.notEqual(now?.pid, pid, instance)
      }
      nothingFailed([...failures, ...failedReads])
    },
  )
})

function nothingFailed(failures: readonly string[]): void {
  assert.equal(failures.length, 0, `${failures.length}:\n${failures.slice(0, 20).join('\n')}`)
}
