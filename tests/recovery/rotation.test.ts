import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { secretsIn } from '@halles/kit/rotating-secrets'
import { vitalsPath } from '@halles/kit/vitals'
import type { Secrets } from '../../stack/src/secrets.ts'
import { halles } from '../e2e/halles.ts'
import { createShop } from '../e2e/shop.ts'
import { withTraffic } from '../e2e/traffic.ts'
import { walksOf } from '../e2e/walks.ts'
import { signInToPages } from './visitor.ts'

// Every process is started anew twice, and a substitute beside most of them.
const longTest = { timeout: 420_000 }
const longLimitMs = 400_000
// Stripe's own machine has no second one that could sign meanwhile: that one goes by itself.
const secrets = ['signing-keys', 'internal-secret', 'sealing-key', 'session-secret', 'order-tokens']

describe('Secrets that are replaced while people shop', () => {
  const shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0' })
  const { api, stack } = shop
  const command = halles(stack.dataFolder, {}, longLimitMs)
  before(() => stack.start())
  after(() => stack.stop())

  const read = () => stack.readJson('secrets.json') as Secrets

  /** What a service answers to who shows this secret. */
  async function showTo(part: string, internalSecret: string): Promise<number> {
    const [found] = stack.processes(part)
    const answer = await fetch(`http://127.0.0.1:${found?.ports.http}${vitalsPath}`, {
      headers: { authorization: `Internal ${internalSecret}` },
      signal: AbortSignal.timeout(20_000),
    })
    await answer.arrayBuffer()
    return answer.status
  }

  async function keyIds(): Promise<(string | undefined)[]> {
    const { body } = await api.raw({ method: 'GET', target: '/.well-known/jwks.json' })
    return (body as { keys: { kid?: string }[] }).keys.map(({ kid }) => kid)
  }

  test(
    'no request fails, nobody is signed out, and the old ones are refused when it is finished',
    longTest,
    async () => {
      const sold = await shop.sell({ quantity: 100_000 })
      const odette = await shop.signUp()
      const early = await shop.checkout(await shop.cartWith({ [sold.variantId]: 1 }))
      const visitor = await signInToPages(() => stack.url, odette)
      const old = read()
      const oldKeys = await keyIds()
      const follow = () =>
        api.ask('getOrder', { params: { orderId: early.id }, token: early.accessToken })

      const walks = [
        ...walksOf(api, sold, odette.token),
        { name: 'follow an order', work: follow },
        {
          name: 'look at the account',
          work: async () => assert.ok(await visitor.isSignedIn(), 'signed out'),
        },
      ]
      const failures = await withTraffic(walks, async () => {
        const done = await command('rotate', ...secrets)
        assert.equal(done.code, 0, done.err)
      })
      assert.deepEqual(failures, [])
      const both = read()
      assert.equal(secretsIn(both.internalSecret)[1], old.internalSecret)
      assert.ok((await keyIds()).length > oldKeys.length, 'There is a new key to sign with.')
      for (const secret of secretsIn(both.internalSecret)) {
        assert.equal(await showTo('orders', secret), 200)
      }
      // Sealed with the new key, opened with it; the stack's own way is the new secret.
      const nina = await shop.signUp()

      assert.match((await command('rotate', 'internal-secret')).err, /ROTATION_UNFINISHED/)
      assert.match((await command('rotate', 'order-tokens', '--finish')).err, /ROTATION_TOO_SOON/)
      const late = await signInToPages(() => stack.url, nina)
      const finished = await command('rotate', ...secrets, '--finish', '--force')
      assert.equal(finished.code, 0, finished.err)

      assert.equal(await showTo('orders', old.internalSecret), 401)
      assert.equal(await showTo('orders', read().internalSecret), 200)
      await api.refused(
        'getOrder',
        { status: 401 },
        { params: { orderId: early.id }, token: early.accessToken },
      )
      assert.equal(await visitor.isSignedIn(), false)
      assert.equal(await late.isSignedIn(), true)
      await shop.signIn(odette.email, odette.password)
      await api.ask('getMe', { token: odette.token })
      await shop.paidOrder(sold.variantId)
    },
  )

  test('the notifications of the card sandbox go on with a new secret', longTest, async () => {
    const sold = await shop.sell()
    const old = read().stripeWebhookSecret
    assert.equal((await command('rotate', 'webhook-secret')).code, 0)
    await shop.paidOrder(sold.variantId)
    assert.equal((await command('rotate', 'webhook-secret', '--finish')).code, 0)
    assert.ok(!read().stripeWebhookSecret.includes(old))
    await shop.paidOrder(sold.variantId)
  })

  test('a secret that is none is refused with the names of those that there are', async () => {
    const refused = await command('rotate', 'the-weather')
    assert.equal(refused.code, 2)
    assert.match(refused.err, /session-secret/)
    assert.match((await command('rotate', 'sealing-key', '--finish')).err, /ROTATION_NOT_BEGUN/)
  })
})
