import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { inspect, type World } from '../browser.ts'

/** What everybody may read. */
export function pages(world: World): void {
  test('everybody can read the shop, by keyboard too, and nothing is wrong for a screen reader', async () => {
    const { product } = await world.shop.sell({ title: 'Tarte Tatin', category: 'Bakery' })
    const page = await world.open({ path: '/' })
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    assert.match(page.url(), /#content$/, 'The first stop leads to the content.')
    await inspect(page, 'shop/home')
    for (const [name, path] of Object.entries({
      search: '/search?sort=price',
      stall: '/stalls/cheese',
      product: `/products/${product.slug}`,
      'cart-empty': '/cart',
      'sign-in': '/sign-in',
      'sign-up': '/sign-up',
      'orders-guest': '/orders',
      'not-found': '/nowhere',
    })) {
      await page.goto(path)
      await inspect(page, `shop/${name}`)
    }
  })

  test('search narrows down and keeps an order that can be sent on', async () => {
    const page = await world.open({ path: '/search' })
    await page.getByLabel('Stall', { exact: true }).selectOption('Cheese')
    await page.getByLabel('Order', { exact: true }).selectOption('price')
    await page.getByRole('button', { name: 'Show', exact: true }).click()
    await page.waitForURL(/category=Cheese&sort=price/)
    await page.reload()
    assert.equal(await page.getByLabel('Order', { exact: true }).inputValue(), 'price')
    const prices = await page.locator('.product-card-price').allTextContents()
    const amounts = prices.map((text) => Number(/[\d.]+/.exec(text)?.[0]))
    assert.ok(amounts.length > 1)
    assert.deepEqual(
      amounts,
      amounts.toSorted((a, b) => a - b),
    )
  })

  test('nothing moves while a page loads, and a page that is only read loads no script', async () => {
    const page = await world.open()
    const scripts: string[] = []
    page.on('request', (request) => {
      if (request.resourceType() === 'script') scripts.push(request.url())
    })
    await page.addInitScript(`
      globalThis.moved = 0
      new PerformanceObserver((list) => {
        for (const { value } of list.getEntries()) globalThis.moved += value
      }).observe({ type: 'layout-shift', buffered: true })
    `)
    for (const path of ['/', '/search', '/products/olive-wood-board']) {
      await page.goto(path, { waitUntil: 'networkidle' })
      assert.ok((await page.evaluate<number>('moved')) < 0.01, `${path} moved.`)
    }
    assert.deepEqual(scripts, [])
  })

  test('search engines find every product, in both languages, with its price', async () => {
    const { product } = await world.shop.sell({ amountMinor: 1_990 })
    const ask = async (path: string) => (await fetch(world.url + path)).text()
    assert.match(await ask('/robots.txt'), new RegExp(`Sitemap: ${world.url}/sitemap.xml`))
    // The list may be some minutes old; the demonstration's products are in it for sure.
    const sitemap = await eventually(async () => {
      const text = await ask('/sitemap.xml')
      assert.match(text, /<loc>[^<]*\/products\/olive-wood-board<\/loc>/)
      return text
    })
    assert.match(sitemap, /<loc>[^<]*\/fr\/products\/olive-wood-board<\/loc>/)
    const page = await world.open({ path: `/products/${product.slug}`, scripts: false })
    const head = await page.content()
    for (const language of ['en', 'fr', 'x-default']) {
      assert.match(head, new RegExp(`hreflang="${language}"`, 'i'))
    }
    assert.match(head, new RegExp(`rel="canonical" href="${world.url}/products/${product.slug}"`))
    const text = await page.locator('script[type="application/ld+json"]').textContent()
    const { offers } = JSON.parse(text ?? '') as { offers: { price: string }[] }
    assert.equal(offers[0]?.price, '19.90')
  })
}
