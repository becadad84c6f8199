import { test } from 'node:test'
import { newEmail } from '../../e2e/shop.ts'
import type { World } from '../browser.ts'
import { atProvider, fillBasket, openAccount, toReview, words } from '../shopper.ts'
import { walk } from '../walk.ts'

/** Every address of the shop, in the other language. */
export function french({ shop, open }: World): void {
  test('every page of the shop speaks French, and none is wrong for a screen reader', async () => {
    const { product } = await shop.sell({ title: 'Tarte aux mirabelles', category: 'Bakery' })
    const guest = await open({ locale: 'fr-FR' })
    await fillBasket(guest, product.slug, words.fr)
    await toReview(guest, newEmail(), words.fr)
    await guest.getByRole('button', { name: words.fr.buy }).click()
    await guest.waitForURL(atProvider)
    await guest.goto('/fr/orders')
    const order = (await guest.locator('.order-item a').getAttribute('href')) ?? ''
    const orderId = order.split('/').at(-1) ?? ''
    // A second basket, for the pages before the payment.
    await fillBasket(guest, product.slug, words.fr)
    await toReview(guest, newEmail(), words.fr)
    const customer = await open({ locale: 'fr-FR' })
    await openAccount(customer, newEmail())
    await walk({
      start: '/fr',
      folder: 'shop-fr',
      given: { stall: 'cheese', slug: product.slug, orderId },
      lookAt: (path) => ({
        page: /^\/fr\/(account|wishlist)/.test(path) ? customer : guest,
        query: /^\/fr\/checkout\/(return|cancelled)/.test(path) ? `?order=${orderId}` : undefined,
      }),
    })
  })
}
