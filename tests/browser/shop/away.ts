import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newEmail } from '../../e2e/shop.ts'
import { inspect, type World } from '../browser.ts'
import { atProvider, fillBasket, openAccount, toReview } from '../shopper.ts'

/** What people see while a part is away. */
export function away({ shop, open }: World): void {
  const parts = {
    carts: { path: '/cart', says: 'Your basket does not answer right now.' },
    wishlists: { path: '/wishlist', says: 'Your wishlist does not answer right now.' },
    orders: { path: '/orders', says: 'Orders and checkout do not answer right now.' },
    customers: { path: '/account/addresses', says: 'Your profile does not answer right now.' },
  }

  test('each part that is away has a page that says so, and what works meanwhile', async () => {
    const { product } = await shop.sell()
    const page = await open()
    await openAccount(page, newEmail())
    await fillBasket(page, product.slug)
    for (const [part, { path, says }] of Object.entries(parts)) {
      await shop.stack.without(part, async () => {
        const answer = await page.goto(path)
        assert.equal(answer?.status(), 503, path)
        assert.ok(Number(answer?.headers()['retry-after']) > 0, `${path} says when to come back.`)
        await page.getByText(says).waitFor()
        await inspect(page, `shop/away-${part}`)
        await page.getByRole('navigation', { name: 'What works meanwhile' }).waitFor()
        await page.goto('/')
        await page.getByRole('heading', { name: 'Everything under one roof' }).waitFor()
      })
      await page.goto(path)
      assert.equal(await page.getByText(says).count(), 0)
    }
  })

  test('an order that cannot be placed now is placed once when it can', async () => {
    const { product, variantId } = await shop.sell({ quantity: 4 })
    const page = await open()
    await fillBasket(page, product.slug)
    await toReview(page, newEmail())
    await shop.stack.without('payments', async () => {
      await page.getByRole('button', { name: /^Buy for/ }).click()
      await page.getByText('Nothing was bought and nothing was charged').waitFor()
      await inspect(page, 'shop/review-payments-away')
    })
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await page.waitForURL(atProvider)
    assert.equal((await shop.stockOf(variantId)).reserved, 1)
  })

  test('without the catalogue the basket is there, and the stalls say why they are not', async () => {
    const { product } = await shop.sell()
    const page = await open()
    await fillBasket(page, product.slug)
    await shop.stack.without('products', async () => {
      const answer = await page.goto('/products/nobody-asked-for-this-yet')
      assert.equal(answer?.status(), 503)
      await inspect(page, 'shop/away-products')
      await page.goto('/cart')
      assert.equal(await page.locator('.cart-line').count(), 1)
    })
  })
}
