import type { Page } from 'playwright-core'
import { shippingAddress } from '../e2e/shop.ts'

/** The words that a shopper goes by, in each language. */
export const words = {
  en: {
    prefix: '',
    add: 'Put into the basket',
    checkout: 'To the checkout',
    email: 'E-mail',
    address: ['Name', 'Street and number', 'Postal code', 'Town'],
    next: 'On to the overview',
    buy: /^Buy for/,
  },
  fr: {
    prefix: '/fr',
    add: 'Mettre dans le panier',
    checkout: 'Commander',
    email: 'Adresse e-mail',
    address: ['Nom', 'Rue et numéro', 'Code postal', 'Ville'],
    next: 'Vers le récapitulatif',
    buy: /^Acheter pour/,
  },
} as const
export type Words = (typeof words)[keyof typeof words]

const { name, line1, postalCode, city } = shippingAddress

/** Puts a product into the basket and looks into it, with scripts or without. */
export async function fillBasket(page: Page, slug: string, say: Words = words.en): Promise<void> {
  await page.goto(`${say.prefix}/products/${slug}`)
  await page.getByRole('button', { name: say.add, exact: true }).click()
  // Before the scripts have come the form leads to the basket; with them it stays.
  await page.locator('.notice[data-tone="good"], .cart-lines').first().waitFor()
  await page.goto(`${say.prefix}/cart`)
}

/** From the basket to the last page before the payment, as a guest. */
export async function toReview(page: Page, email: string, say: Words = words.en): Promise<void> {
  await page.getByRole('link', { name: say.checkout, exact: true }).click()
  await page.getByLabel(say.email, { exact: true }).fill(email)
  await fillAddress(page, say)
  await page.getByRole('button', { name: say.next }).click()
  await page.waitForURL('**/checkout/review')
}

export async function fillAddress(page: Page, say: Words = words.en): Promise<void> {
  for (const [index, value] of [name, line1, postalCode, city].entries()) {
    await page.getByLabel(say.address[index] ?? '', { exact: true }).fill(value)
  }
}

/** Fills in the provider's page; it answers with a refusal or leads back to the shop. */
export async function payByCard(page: Page, number: string): Promise<void> {
  await page.getByLabel('Card number').fill(number)
  await page.getByLabel('Expiry').fill('12 / 40')
  await page.getByLabel('Security code').fill('123')
  await page.getByRole('button', { name: /^Pay/ }).first().click()
}

export const atProvider = /\/c\/pay\/cs_/
export const atThanks = /\/orders\/[0-9a-f-]{36}\?thanks=1/
export const password = 'a-long-way-to-the-market'

/** Opens an account; its visitor is signed in afterwards. */
export async function openAccount(page: Page, email: string): Promise<void> {
  await page.goto('/sign-up')
  await page.getByLabel('Name', { exact: true }).fill('Odette Marchand')
  await page.getByLabel('E-mail', { exact: true }).fill(email)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Open the account' }).click()
  await page.getByText('Odette Marchand').first().waitFor()
}

export async function signIn(page: Page, email: string, secret: string): Promise<void> {
  await page.goto('/sign-in?next=/account')
  await page.getByLabel('E-mail', { exact: true }).fill(email)
  await page.getByLabel('Password', { exact: true }).fill(secret)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.waitForURL(({ pathname }) => pathname.endsWith('/account'))
}
