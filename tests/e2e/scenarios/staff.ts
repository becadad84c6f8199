import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Import } from '@halles/contracts/gen/http/products'
import { eventually } from '@halles/kit/testing'
import { newOrder, type Shop, unique } from '../shop.ts'

const fixture = readFileSync(join(import.meta.dirname, '../fixtures/shopify.csv'), 'utf8')
const euros = (amountMinor: number) => ({ amountMinor, currency: 'EUR' })

/** Who runs the shop: catalogue, prices, roles. */
export function staffJourney(shop: Shop): void {
  const { api, admin, sell, signUp, signIn, cartWith } = shop

  async function importFile(content: string): Promise<Import> {
    const token = await admin()
    const { id } = await api.ask('importProducts', { token, body: content })
    return eventually(
      async () => {
        const report = await api.ask('getImport', { token, params: { importId: id } })
        return report.status === 'running' ? false : report
      },
      { limitMs: 30_000, intervalMs: 50 },
    )
  }

  async function setPrice(variantId: string, amountMinor: number): Promise<void> {
    const params = { variantId }
    await api.ask('setPrice', { token: await admin(), params, body: euros(amountMinor) })
  }

  describe('The staff', () => {
    test('imports a file of products and hears of each row that cannot be sold', async () => {
      const report = await importFile(fixture)
      assert.equal(report.status, 'finished', report.problem ?? '')
      assert.equal(report.format, 'shopify')
      assert.deepEqual([report.created, report.updated, report.unchanged], [3, 0, 0])
      // Each row by itself, and the product that is left without a variant.
      assert.deepEqual(new Set(report.rejected.map(({ line }) => line)), new Set([8, 9]))
      assert.match(JSON.stringify(report.rejected), /price/i)
      assert.equal(report.rejectedTotal, 2)
      const apron = await eventually(() =>
        api.ask('getProduct', { params: { idOrSlug: 'e2e-market-apron' } }),
      )
      assert.deepEqual(apron.options, ['Colour', 'Size'])
      assert.deepEqual(
        apron.variants.map(({ price }) => price.amountMinor),
        [3_900, 3_900, 4_150],
      )
      assert.match(apron.descriptionHtml, /<strong>linen<\/strong>/)
      assert.doesNotMatch(apron.descriptionHtml, /script|onclick/)
      assert.equal(apron.images.length, 2)
      await api.refused('getProduct', { status: 404 }, { params: { idOrSlug: 'e2e-cotton-net' } })
    })

    test('changes nothing by importing the same file again', async () => {
      const report = await importFile(fixture)
      assert.deepEqual([report.created, report.updated, report.unchanged], [0, 0, 3])
    })

    test('reprices by importing the file with a new price', async () => {
      const report = await importFile(fixture.replace(',5,28.90,', ',5,31.20,'))
      assert.deepEqual([report.created, report.updated, report.unchanged], [0, 1, 2])
      await eventually(async () => {
        const bowl = await api.ask('getProduct', { params: { idOrSlug: 'e2e-olive-bowl' } })
        assert.equal(bowl.variants[0]?.price.amountMinor, 3_120)
      })
    })

    test('changes a price, and cart, wishlist and catalogue show it beside the one of before', async () => {
      const { product, variantId } = await sell({ amountMinor: 2_000 })
      const { token } = await signUp()
      const cart = await cartWith({ [variantId]: 2 }, token)
      await eventually(() => api.ask('putWishlistItem', { params: { variantId }, token }))
      const page = { params: { idOrSlug: product.slug } }
      await eventually(async () => {
        const { headers, status } = await api.send('getProduct', page)
        assert.equal(status, 200)
        assert.match(headers.get('cache-status') ?? '', /; hit/, 'The catalogue is not cached.')
      })

      await setPrice(variantId, 2_300)
      await eventually(async () => {
        const { lines, total } = await api.ask('getCart', { params: { cartId: cart.id }, token })
        assert.deepEqual(lines[0]?.unitPrice, euros(2_300))
        assert.deepEqual(lines[0]?.unitPriceWhenAdded, euros(2_000))
        assert.deepEqual(total, euros(4_600))
      })
      await eventually(async () => {
        const { items } = await api.ask('getWishlist', { token })
        assert.deepEqual(items[0]?.price, euros(2_300))
        assert.deepEqual(items[0]?.priceWhenAdded, euros(2_000))
      })
      // Far sooner than the 30 s after which the cached page would have been asked for anyway.
      const shown = { limitMs: 10_000 }
      await eventually(async () => {
        const { variants } = await api.ask('getProduct', page)
        assert.deepEqual(variants[0]?.price, euros(2_300))
      }, shown)
      await eventually(async () => {
        const { items } = await api.ask('listProducts', { query: { q: product.title } })
        assert.deepEqual(items[0]?.priceFrom, euros(2_300))
      }, shown)
    })

    test('changes a price under a shopper’s hands: the stale total is refused with the difference', async () => {
      const { variantId } = await sell({ amountMinor: 1_500 })
      const cart = await cartWith({ [variantId]: 2 })
      await setPrice(variantId, 1_750)
      const body = newOrder(cart, { expectedTotal: euros(3_000) })
      const problem = await api.refused(
        'placeOrder',
        { status: 409, code: 'PRICE_CHANGED' },
        { headers: { 'idempotency-key': randomUUID() }, body },
      )
      assert.deepEqual(problem.expectedTotal, euros(3_000))
      assert.deepEqual(problem.actualTotal, euros(3_500))
      const [line] = problem.lines as { variantId: string; unitPrice: unknown }[]
      assert.equal(line?.variantId, variantId)
      assert.deepEqual(line?.unitPrice, euros(1_750))
      await eventually(async () => assert.equal((await shop.stockOf(variantId)).reserved, 0))
      const order = await api.ask('placeOrder', {
        headers: { 'idempotency-key': randomUUID() },
        body: { ...body, expectedTotal: euros(3_500) },
      })
      assert.deepEqual(order.total, euros(3_500))
    })

    test('is told when somebody else has changed the same product meanwhile', async () => {
      const { product, variantId, productId } = await sell()
      const token = await admin()
      const params = { productId }
      const read = { 'if-match': `"${product.version}"` }
      const changed = { headers: read, body: { title: `First ${unique()}` }, params, token }
      const first = await api.ask('updateProduct', changed)
      assert.equal(first.version, product.version + 1)
      await api.refused('updateProduct', { status: 412 }, changed)
      const price = { headers: read, params: { variantId }, body: euros(99), token }
      await api.refused('setPrice', { status: 412 }, price)
      await api.refused('removeProduct', { status: 412 }, { headers: read, params, token })
      const headers = { 'if-match': `"${first.version}"` }
      await api.ask('removeProduct', { headers, params, token })
      await eventually(() =>
        api.refused('getProduct', { status: 404 }, { params: { idOrSlug: product.slug } }),
      )
    })

    test('lets a customer manage the catalogue, and takes the right away at once', async () => {
      const { productId } = await sell()
      const person = await signUp()
      const params = { subjectId: person.id }
      const edit = (token: string) => ({
        token,
        params: { productId },
        body: { tags: [unique()] },
      })
      await api.refused('updateProduct', { status: 403, code: 'FORBIDDEN' }, edit(person.token))
      const token = await admin()
      const roles = ['catalogue-manager']
      const given = await api.ask('putSubjectRoles', { token, params, body: { roles } })
      assert.deepEqual(given.roles, roles)
      const session = await eventually(async () => {
        const fresh = await signIn(person.email, person.password)
        await api.ask('updateProduct', edit(fresh.token))
        return fresh
      })
      await api.refused('listRoles', { status: 403 }, { token: session.token })

      await api.ask('putSubjectRoles', { token, params, body: { roles: [] } })
      await eventually(() => api.refused('updateProduct', { status: 401 }, edit(session.token)))
      const body = { refreshToken: session.refreshToken }
      await api.refused('refreshSession', { status: 401 }, { body })
      const after = await signIn(person.email, person.password)
      await api.refused('updateProduct', { status: 403 }, edit(after.token))

      const { items } = await api.ask('listAuditLog', { token, query: { limit: 10 } })
      const changes = items.filter(({ target }) => target.includes(person.id))
      assert.deepEqual(
        changes.map(({ before, after: now }) => [before, now]),
        [
          [roles, []],
          [[], roles],
        ],
      )
    })

    test('sees every part of the platform and no message that was given up', async () => {
      const { instances, deadLetters } = await api.ask('getSystem', { token: await admin() })
      const parts = new Set(instances.map(({ service }) => service))
      for (const part of [
        'gateway',
        'auth',
        'rbac',
        'customers',
        'products',
        'wishlists',
        'carts',
        'orders',
        'payments',
      ]) {
        assert.ok(parts.has(part), `${part} is missing.`)
      }
      const ids = instances.flatMap(({ service, id }) => (service === 'gateway' ? [id] : []))
      assert.deepEqual(ids.sort(), ['gateway-1', 'gateway-2'])
      assert.deepEqual(
        instances.filter(({ state }) => state !== 'ready'),
        [],
      )
      assert.equal(deadLetters, 0)
    })
  })
}
