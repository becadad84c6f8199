import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import type { ProcessEntry } from '../../stack/src/supervisor.ts'
import { createApi, type Operation } from './api.ts'
import { halles } from './halles.ts'
import { createShop } from './shop.ts'
import { type Walk, withTraffic } from './traffic.ts'
import { walksOf } from './walks.ts'

// Ten parts, one process after another: each is started twice and drains twice, on busy cores.
const rolling = { timeout: 300_000 }
const recovery = { limitMs: 60_000, intervalMs: 100 }

describe('What an operator does to a running stack', () => {
  const shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0' })
  const { stack, signUp, sell, cartWith } = shop
  // Nothing is asked twice here: what breaks counts.
  const api = createApi(() => stack.url, { readTries: 1 })
  const command = halles(stack.dataFolder)
  before(() => stack.start())
  after(() => stack.stop())

  const listOf = (name: string) => stack.readJson(`discovery/${name}.json`) as string[]
  const namesOf = (part: string) => stack.processes(part).map(({ instance }) => instance)

  async function servedBy({ ports }: ProcessEntry, route: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)
    const lines = (await answer.text()).split('\n')
    const counts = lines.filter((line) => line.includes('_count{') && line.includes(route))
    return counts.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  test('auth grows to three and shrinks to one while people sign in, and nobody notices', async () => {
    const people = await Promise.all([signUp(), signUp()])
    const signIn: Walk = {
      name: 'sign in and refresh',
      async work() {
        const { email, password } = people[Math.floor(Math.random() * 2)] ?? { email: '' }
        const { refreshToken } = await api.ask('signIn', {
          body: { email, password: password ?? '' },
        })
        await api.ask('refreshSession', { body: { refreshToken } })
      },
    }
    const failures = await withTraffic([signIn], async () => {
      const grown = await command('scale', 'auth=3')
      assert.equal(grown.code, 0, grown.err)
      assert.match(grown.err, /auth-2 is ready\nauth-3 is ready/)
      assert.deepEqual(namesOf('auth'), ['auth-1', 'auth-2', 'auth-3'])
      assert.equal(listOf('auth.http').length, 3)
      await eventually(async () => {
        for (const each of stack.processes('auth')) {
          assert.ok((await servedBy(each, 'sessions')) > 0, each.instance)
        }
      }, recovery)

      const shrunk = await command('scale', 'auth=1', '--json')
      assert.equal(shrunk.code, 0, shrunk.err)
      assert.deepEqual(
        (JSON.parse(shrunk.out) as ProcessEntry[]).map(({ instance }) => instance),
        ['auth-1'],
      )
      assert.deepEqual(namesOf('auth'), ['auth-1'])
      assert.equal(listOf('auth.http').length, 1)
    })
    assert.deepEqual(failures, [])
  })

  test(
    'every service is restarted while people read, fill carts and order, and no request fails',
    rolling,
    async () => {
      const product = await sell({ quantity: 100_000 })
      await cartWith({ [product.variantId]: 1 })
      const customer = await signUp()
      const before = stack.processes().filter(({ ports }) => ports.metrics !== undefined)
      const walks = walksOf(api, product, customer.token)
      const failures = await withTraffic(walks, async () => void (await stack.restart('all')))
      for (const { instance, pid } of before) {
        const now = stack.processes(instance)[0]
        assert.equal(now?.state, 'ready', instance)
        assert.notEqual(now?.pid, pid, instance)
      }
      assert.deepEqual(failures, [])
    },
  )

  test('a gateway is added and taken away while people read', async () => {
    const { product } = await sell()
    const page = { params: { idOrSlug: product.slug } }
    const read = { name: 'read', work: () => api.ask('getProduct', page) }
    const failures = await withTraffic([read], async () => {
      await stack.scale({ gateway: 3 })
      assert.equal(stack.processes('gateway').length, 3)
      await stack.scale({ gateway: 2 })
    })
    assert.deepEqual(failures, [])
  })

  test('a frozen carts is no crash; others work meanwhile, and it goes on when it is thawed', async () => {
    const { product, variantId } = await sell()
    const cart = await cartWith({ [variantId]: 1 })
    const read = { params: { cartId: cart.id } }
    const restarts = stack.processes('carts')[0]?.restarts
    await stack.whileFrozen('carts', async () => {
      const seen = await command('processes')
      assert.equal(seen.code, 1)
      assert.match(seen.out, /carts-1 .* frozen$/m)
      await isAway('getCart', read)
      await api.ask('getProduct', { params: { idOrSlug: product.slug } })
    })
    await eventually(() => api.ask('getCart', read), recovery)
    assert.equal(stack.processes('carts')[0]?.restarts, restarts)
  })

  test('a slow products is asked through a slow door, and by itself again afterwards', async () => {
    const { variantId } = await sell()
    const read = { params: { variantId }, token: await shop.admin() }
    await api.ask('getStock', read)
    await stack.whileSlow('products', 60_000, async () => {
      await eventually(() => isAway('getStock', read), recovery)
      const seen = await command('processes')
      assert.match(seen.out, /products-1 .* ready, 60000 ms late$/m)
    })
    await eventually(() => api.ask('getStock', read), recovery)
    for (const part of ['gateway', 'postgres']) {
      assert.equal((await command('slow', part, '10')).code, 1)
    }
  })

  test('a frozen PostgreSQL stands still with all its processes, and nothing is lost', async () => {
    const { variantId } = await sell()
    const cart = await cartWith({ [variantId]: 1 })
    const read = { params: { cartId: cart.id } }
    const pids = () => stack.processes().map(({ instance, pid }) => [instance, pid])
    const before = pids()
    await stack.whileFrozen('postgres', () => isAway('getCart', read))
    await eventually(() => api.ask('getCart', read), recovery)
    assert.deepEqual(pids(), before)
  })

  test('a stack that is closed while parts are frozen and slow leaves nothing behind', async () => {
    await stack.freeze('postgres')
    await stack.freeze('carts')
    await stack.slow('products', 2_000)
    await stack.stop()
  })

  /** 503 or 504: said in bounded time instead of waited for. */
  async function isAway(operation: Operation, input: Parameters<typeof api.send>[1]) {
    const { status, body } = await api.send(operation, input)
    assert.ok([503, 504].includes(status), `${operation}: ${status} ${JSON.stringify(body)}`)
  }
})
