import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { eventually } from '@halles/kit/testing'
import { chromium } from 'playwright-core'
import { createClient, type Halles, isHallesError } from '../../packages/client/src/index.ts'
import { chromiumArguments, chromiumPath } from '../browser/browser.ts'
import { createShop, newEmail, newOrder, unique } from '../e2e/shop.ts'
import { findNodes, type Packed, packClient, readExample } from './packed.ts'

const run = promisify(execFile)
const nodes = await findNodes()
// The example makes some ten calls; a browser starts besides.
const limitMs = 60_000

describe('The client', () => {
  // Tokens that live for seconds let their end be seen.
  const shop = createShop({ HALLES_AUTH_ACCESS_TOKEN_SECONDS: '5' })
  let packed: Packed
  let guest: Halles
  let staff: Halles

  before(async () => {
    packed = await packClient()
    await shop.stack.start()
    guest = createClient({ baseUrl: shop.stack.url })
    staff = await signedIn(shop.stack.readJson('admin.json') as Credentials)
  })
  after(async () => {
    await shop.stack.stop()
    await packed.remove()
  })

  type Credentials = { email: string; password: string }

  /** Somebody whose token is renewed as often as it ends. */
  async function signedIn(body: Credentials): Promise<Halles> {
    const first = await eventually(() => guest.signIn({ body }), {
      // Ten that failed would lock the e-mail for a while.
      ...{ limitMs: 10_000, intervalMs: 800 },
    })
    let { accessToken: token, refreshToken } = first.data
    return createClient({
      baseUrl: shop.stack.url,
      token,
      onExpired: async () => {
        const { data } = await guest.refreshSession({ body: { refreshToken } })
        ;({ accessToken: token, refreshToken } = data)
        return token
      },
    })
  }

  async function sell(amountMinor = 1_250) {
    const price = { amountMinor, currency: 'EUR' }
    const variants = [{ sku: `SKU-${unique()}`, price, quantity: 50 }]
    // In the first second of a new shop the services may not have heard yet what roles may do.
    const { data } = await eventually(() =>
      staff.createProduct({ body: { title: `Basket ${unique()}`, variants } }),
    )
    const [variant] = data.variants
    assert.ok(variant)
    return { product: data, variantId: variant.id }
  }

  async function filledCart(variantId: string) {
    const { data: cart } = await guest.createCart()
    const line = { params: { cartId: cart.id, variantId }, body: { quantity: 2 } }
    return (await eventually(() => guest.putCartLine(line))).data
  }

  test('is packed with its module, its types and its page, and nothing else', () => {
    const others = packed.files.filter((path) => !/^dist\/([\w-]+\/)?[\w-]+\.d\.ts$/.test(path))
    assert.deepEqual(others.sort(), ['README.md', 'dist/index.js', 'package.json'])
    assert.doesNotMatch(packed.script, /\b(?:from|import)\s*\(?["']/)
  })

  for (const [version, path] of nodes) {
    test(`buys as its README says, in Node ${version}`, async () => {
      const example = (await readExample()).replaceAll('http://localhost:8080', shop.stack.url)
      const options = { cwd: packed.folder, timeout: limitMs }
      const args = ['--input-type=module', '--eval', example]
      const { stdout } = await run(path, args, options)
      assert.match(stdout, /^pending_payment http:/)
    })
  }

  test('buys in a browser', {
    skip: existsSync(chromiumPath) ? false : `Chromium is not at ${chromiumPath}`,
  }, async () => {
    const browser = await chromium.launch({ executablePath: chromiumPath, args: chromiumArguments })
    try {
      const page = await browser.newPage({ baseURL: shop.stack.url })
      await page.goto('/')
      // As a bundler would have it: the page's own policy takes no module from elsewhere.
      const module = packed.script.replace(/export \{([^}]*)\};\s*$/, 'return {$1};')
      const example = (await readExample())
        .replace(/import .*\n/, `const { createClient, isHallesError } = (() => {${module}})()\n`)
        .replace("{ baseUrl: 'http://localhost:8080' }", '')
        .replace('console.log(order', 'return String(order')
      const said = await page.evaluate(`(async () => {${example}})()`)
      assert.equal(said, 'pending_payment')
    } finally {
      await browser.close()
    }
  })

  test('goes on over the end of a token, with calls at once', async () => {
    const { data: me } = await staff.getMe()
    await eventually(
      async () => {
        const { data } = await guest.signIn({
          body: shop.stack.readJson('admin.json') as Credentials,
        })
        const late = createClient({ baseUrl: shop.stack.url, token: data.accessToken })
        await eventually(() => assert.rejects(late.getMe(), { code: 'TOKEN_EXPIRED' }), {
          ...{ limitMs: 20_000, intervalMs: 500 },
        })
      },
      { limitMs: 30_000 },
    )
    // By now the token of the staff has ended too.
    const again = await Promise.all(Array.from({ length: 5 }, () => staff.getMe()))
    assert.ok(again.every(({ data }) => data.id === me.id))
  })

  test('walks over all pages of a list', async () => {
    const sold = new Set<string>()
    for (let count = 0; count < 5; count += 1) sold.add((await sell()).product.id)
    await eventually(async () => {
      const seen: string[] = []
      for await (const { id } of staff.listCatalogue({ query: { limit: 2 } })) seen.push(id)
      assert.equal(new Set(seen).size, seen.length, 'A product came twice.')
      for (const id of sold) assert.ok(seen.includes(id))
    })
  })

  test('changes what it has read, and nothing newer', async () => {
    const { product, variantId } = await sell()
    const read = await staff.getCatalogueProduct({ params: { productId: product.id } })
    const { etag: ifMatch } = read
    assert.ok(ifMatch)
    const change = { params: { variantId }, ifMatch }
    const currency = 'EUR'
    await staff.setPrice({ ...change, body: { amountMinor: 700, currency } })
    const late = staff.setPrice({ ...change, body: { amountMinor: 800, currency } })
    await assert.rejects(late, (error) => isHallesError(error) && error.status === 412)

    const page = { params: { idOrSlug: product.slug } }
    await eventually(async () => {
      const first = await guest.getProduct(page)
      assert.equal(first.data.variants[0]?.price.amountMinor, 700)
      const again = await guest.getProduct({ ...page, known: first })
      assert.equal(again.isUnchanged, true)
      assert.deepEqual(again.data, first.data)
    })
  })

  test('hears of a price while it looks at a cart', async () => {
    const { variantId } = await sell(1_000)
    const cart = await filledCart(variantId)
    const leave = new AbortController()
    const events = guest.streamCart({ params: { cartId: cart.id }, signal: leave.signal })
    const price = { amountMinor: 1_500, currency: 'EUR' }
    const first = await events.next()
    assert.ok(!first.done && first.value.event === 'cart')
    await staff.setPrice({ params: { variantId }, body: price })
    for await (const { data } of events) {
      if (data.total?.amountMinor === 2 * price.amountMinor) break
    }
    leave.abort()
  })

  test('places one order with a key, reads it with its token, and is told what is wrong', async () => {
    const { variantId } = await sell()
    const cart = await filledCart(variantId)
    const body = newOrder(cart)
    const wrong = { ...body, expectedTotal: { amountMinor: 1, currency: 'EUR' } }
    const refused = await guest.placeOrder({ body: wrong }).catch((error: unknown) => error)
    assert.ok(isHallesError(refused, 'PRICE_CHANGED'))
    assert.equal(refused.status, 409)
    assert.match(refused.traceId ?? '', /^[0-9a-f]{32}$/)

    const idempotencyKey = `order-${unique()}`
    const { data: order } = await guest.placeOrder({ body, idempotencyKey })
    const { data: again } = await guest.placeOrder({ body, idempotencyKey })
    assert.equal(again.id, order.id)
    const params = { orderId: order.id }
    await assert.rejects(guest.getOrder({ params }), { status: 401 })
    await shop.pay(order)
    await eventually(async () => {
      const { data } = await guest.getOrder({ params, token: order.accessToken })
      assert.equal(data.status, 'paid')
    })
  })

  test('is told the fields that are wrong', async () => {
    const body = { email: newEmail(), password: 'short', name: ' ' }
    const error = await guest.signUp({ body }).catch((each: unknown) => each)
    assert.ok(isHallesError(error, 'INVALID_REQUEST'))
    assert.deepEqual(error.fields.map(({ pointer }) => pointer).sort(), [
      '/body/name',
      '/body/password',
    ])
  })

  test('waits for a gateway that is restarted', async () => {
    const { product } = await sell()
    await shop.stack.restart(['gateway'])
    const { data } = await guest.getProduct({ params: { idOrSlug: product.slug } })
    assert.equal(data.id, product.id)
  })
})
