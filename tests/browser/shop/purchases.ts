import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Page } from 'playwright-core'
import { card } from '../../e2e/hosted-page.ts'
import { newEmail } from '../../e2e/shop.ts'
import { inspect, type World } from '../browser.ts'
import {
  atProvider,
  atThanks,
  fillAddress,
  fillBasket,
  openAccount,
  payByCard,
  toReview,
  words,
} from '../shopper.ts'

/** Buying, from the basket to the order's page. */
export function purchases(world: World): void {
  guest(world)
  customer(world)
  withoutScripts(world)
}

function guest({ shop, open }: World): void {
  test('a guest buys once, however often the form is sent, and sees the order afterwards', async () => {
    const { product, variantId } = await shop.sell({ title: 'Guest’s cheese', quantity: 5 })
    const page = await open()
    await fillBasket(page, product.slug)
    await inspect(page, 'shop/cart')
    await page.getByRole('link', { name: 'To the checkout' }).click()
    await page.getByLabel('E-mail', { exact: true }).waitFor()
    await inspect(page, 'shop/checkout')
    await page.goto('/cart')
    await toReview(page, newEmail())
    await inspect(page, 'shop/review')
    const form = await readForm(page)
    await page.getByRole('button', { name: /^Buy for/ }).dblclick()
    await page.waitForURL(atProvider)
    const paidAt = page.url()
    // The same form once more, as a reload sends it.
    const again = await page.request.post(`${new URL(form.url).origin}/checkout/review`, {
      form: form.fields,
      headers: { 'sec-fetch-site': 'same-origin' },
      maxRedirects: 0,
    })
    assert.equal(again.headers().location, paidAt)
    await payByCard(page, card.good)
    await page.waitForURL(atThanks)
    await page.getByText('Your order is paid').waitFor()
    await inspect(page, 'shop/order')
    assert.equal((await shop.stockOf(variantId)).available, 4)
    await page.goto('/orders')
    assert.equal(await page.locator('.order-item').count(), 1)
    await inspect(page, 'shop/orders')
    assert.equal(await page.locator('.shop-count [aria-hidden]').innerText(), '0')
  })

  test('an order of a guest is nobody else’s to see', async () => {
    const { product } = await shop.sell()
    const page = await open()
    await fillBasket(page, product.slug)
    await toReview(page, newEmail())
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await page.waitForURL(atProvider)
    await page.goto('/orders')
    const order = await page.locator('.order-item a').getAttribute('href')
    const stranger = await open({ path: order ?? '' })
    assert.match(stranger.url(), /\/sign-in\?/)
  })
}

async function readForm(page: Page) {
  const fields: Record<string, string> = {}
  for (const name of ['key', 'totalMinor', 'currency']) {
    fields[name] = await page.locator(`input[name="${name}"]`).inputValue()
  }
  return { url: page.url(), fields }
}

function customer({ shop, open }: World): void {
  test('a customer buys to a saved address, is declined, pays after all and follows the order', async () => {
    const { product, variantId } = await shop.sell({ title: 'Customer’s bread' })
    const page = await open()
    await openAccount(page, newEmail())
    await page.goto('/account/addresses')
    await fillAddress(page)
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Saved.').waitFor()
    await fillBasket(page, product.slug)
    await page.getByRole('link', { name: 'To the checkout' }).click()
    await page.getByText('12 rue des Halles').waitFor()
    await inspect(page, 'shop/checkout-customer')
    await page.getByRole('button', { name: 'On to the overview' }).click()
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await page.waitForURL(atProvider)
    await payByCard(page, card.declined)
    await page.getByRole('alert').waitFor()
    await page.getByRole('link', { name: 'Back to the shop' }).click()
    await page.getByRole('heading', { name: 'Nothing was charged' }).waitFor()
    await inspect(page, 'shop/cancelled')
    await page.getByRole('link', { name: /^Pay/ }).click()
    await page.waitForURL(atProvider)
    await payByCard(page, card.good)
    await page.waitForURL(atThanks)
    await send(page, variantId)
    await page.getByText('Colis du matin · 42').waitFor()
    await inspect(page, 'shop/order-sent')
    await page.goto('/orders')
    await page.getByText('Sent', { exact: true }).waitFor()
  })

  async function send(page: Page, variantId: string): Promise<void> {
    const orderId = /orders\/([0-9a-f-]{36})/.exec(page.url())?.[1] ?? ''
    const body = {
      lines: [{ variantId, quantity: 1 }],
      carrier: 'Colis du matin',
      trackingNumber: '42',
    }
    const headers = { 'idempotency-key': `send-${orderId}` }
    const token = await shop.admin()
    await shop.api.ask('fulfilOrder', { params: { orderId }, body, headers, token })
    await page.reload()
  }

  test('who does not want it any more cancels, and may put it into the basket again', async () => {
    const { product, variantId } = await shop.sell({ quantity: 3 })
    const page = await open()
    await fillBasket(page, product.slug)
    await page.getByRole('link', { name: 'To the checkout' }).click()
    await page.getByLabel('E-mail', { exact: true }).fill(newEmail())
    await fillAddress(page)
    await page.getByLabel('By bank transfer').check()
    await page.getByRole('button', { name: 'On to the overview' }).click()
    await page.getByRole('button', { name: /^Buy for/ }).click()
    await page.getByText('Please transfer').waitFor()
    await inspect(page, 'shop/order-transfer')
    await page.getByText('Cancel the order').click()
    await page.getByRole('button', { name: 'Yes, cancel it' }).click()
    await page.getByText('The order is cancelled.').waitFor()
    assert.equal((await shop.stockOf(variantId)).available, 3)
    await page.getByRole('button', { name: 'Put it all into the basket again' }).click()
    await page.waitForURL('**/cart')
    await page.locator('.cart-line').waitFor()
  })
}

function withoutScripts({ shop, open }: World): void {
  test('everything can be bought without scripts, in French', async () => {
    const { product } = await shop.sell({ title: 'Fromage sans script' })
    const page = await open({ scripts: false, locale: 'fr-FR' })
    await fillBasket(page, product.slug, words.fr)
    await toReview(page, newEmail(), words.fr)
    await page.getByRole('button', { name: words.fr.buy }).click()
    await page.waitForURL(atProvider)
    await payByCard(page, card.good)
    await page.waitForURL(atThanks)
    assert.match(page.url(), /\/fr\/orders\//, 'The way back is in the language of the purchase.')
    await page.getByText('Votre commande est payée').waitFor()
    await page.getByText('12,50 €').first().waitFor()
  })

  test('a form that says too little comes back with what is missing, without scripts too', async () => {
    const { product } = await shop.sell()
    const page = await open({ scripts: false })
    await fillBasket(page, product.slug)
    await page.getByRole('link', { name: 'To the checkout' }).click()
    await page.locator('form.checkout-form').waitFor()
    const answer = await page.request.post(page.url(), {
      form: { email: 'nobody', name: 'Odette', country: 'FR' },
      headers: { 'sec-fetch-site': 'same-origin' },
    })
    assert.equal(answer.status(), 422)
    const text = await answer.text()
    for (const part of ['such as ada@example.com', 'street and number', 'postal code', 'Odette']) {
      assert.ok(text.includes(part), part)
    }
  })
}
