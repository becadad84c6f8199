import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { newEmail } from '../../e2e/shop.ts'
import { inspect, type World } from '../browser.ts'
import { atProvider, fillBasket, openAccount, toReview } from '../shopper.ts'

/** What changes under a shopper's eyes. */
export function prices({ shop, open }: World): void {
  async function setPrice(variantId: string, amountMinor: number): Promise<void> {
    const body = { amountMinor, currency: 'EUR' }
    await shop.api.ask('setPrice', { params: { variantId }, body, token: await shop.admin() })
  }

  test('a price that staff change appears in every open window with the basket', async () => {
    const { product, variantId } = await shop.sell({ amountMinor: 1_200 })
    const page = await open()
    await fillBasket(page, product.slug)
    const second = await page.context().newPage()
    await second.goto('/cart')
    for (const each of [page, second]) await each.getByText('Prices are live').waitFor()
    await setPrice(variantId, 1_450)
    for (const each of [page, second]) {
      await each.getByText('The price went up from €12.00 to €14.50.').waitFor()
      assert.match(await each.locator('.cart-line del').innerText(), /€12\.00$/)
      assert.equal(await each.locator('.cart-total .money').innerText(), '€14.50')
    }
    await inspect(page, 'shop/cart-price-changed')
  })

  test('a total that is not what was shown is never charged: the difference is shown and asked for', async () => {
    const { product, variantId } = await shop.sell({ amountMinor: 2_000, title: 'Moving price' })
    const page = await open()
    await fillBasket(page, product.slug)
    await toReview(page, newEmail())
    await page.getByRole('button', { name: 'Buy for €20.00' }).waitFor()
    await setPrice(variantId, 2_300)
    await page.getByRole('button', { name: 'Buy for €20.00' }).click()
    await page.getByText('You saw €20.00; it is €23.00 now. Nothing was bought.').waitFor()
    await page.getByText('Moving price: €20.00 before, €23.00 now, each').waitFor()
    await inspect(page, 'shop/review-price-changed')
    assert.equal((await shop.stockOf(variantId)).reserved, 0)
    await page.getByRole('button', { name: 'Yes, buy for €23.00' }).click()
    await page.waitForURL(atProvider)
    await page.getByRole('heading', { name: /23\.00/ }).waitFor()
  })

  test('what is not there any more is named, with how many are left', async () => {
    const { product, variantId } = await shop.sell({ title: 'Last cheese', quantity: 9 })
    const page = await open()
    await fillBasket(page, product.slug)
    await page.getByLabel('Quantity of Last cheese').fill('3')
    await page.getByRole('button', { name: 'Update' }).click()
    await page.locator('.shop-count', { hasText: '3' }).waitFor()
    await toReview(page, newEmail())
    const token = await shop.admin()
    await shop.api.ask('setStock', { params: { variantId }, body: { quantity: 1 }, token })
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await page.getByText('Last cheese: 1 left, you asked for 3').waitFor()
    await inspect(page, 'shop/review-sold-out')
  })

  test('a wish remembers the price of then', async () => {
    const { product, variantId } = await shop.sell({ amountMinor: 4_000, title: 'Wished pan' })
    const page = await open()
    await openAccount(page, newEmail())
    await page.goto(`/products/${product.slug}`)
    await page.getByRole('button', { name: 'Keep on the wishlist' }).click()
    await page.locator('.notice[data-tone="good"], .wish').first().waitFor()
    await setPrice(variantId, 3_500)
    await page.goto('/wishlist')
    // The wishlist hears of the price by a message.
    await eventually(async () => {
      await page.reload()
      assert.equal(await page.locator('.wish del').count(), 1)
    })
    await page.getByText('Cheaper than when you kept it (€40.00).').waitFor()
    await inspect(page, 'shop/wishlist')
    await page.getByRole('button', { name: 'Put into the basket: Wished pan' }).click()
    await page.waitForURL('**/cart')
    await page.goto('/wishlist')
    await page.getByRole('button', { name: 'Take off the wishlist: Wished pan' }).click()
    await page.getByText('Nothing wished for yet').waitFor()
  })
}
