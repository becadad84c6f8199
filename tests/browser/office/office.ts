import assert from 'node:assert/strict'
import type { Order } from '@halles/contracts/gen/http/orders'
import type { StaffProduct } from '@halles/contracts/gen/http/products'
import { eventually } from '@halles/kit/testing'
import type { Page } from 'playwright-core'
import type { Visitor, World } from '../browser.ts'

type Credentials = { email: string; password: string }

/** What tests of the office do again and again. */
export type Office = {
  /** The administrator's page, once it is open. */
  readonly page: Page
  open(): Promise<void>
  administrator(): Promise<Credentials>
  /** A browser of somebody who signed in and stands at the office's first page. */
  signIn(who: Credentials, how?: Visitor): Promise<Page>
  /** The same as soon as a role that was just given counts. */
  signInAsStaff(who: Credentials): Promise<Page>
  /** Opens a list and searches it. */
  find(page: Page, path: string, words: string): Promise<void>
  /** Waits until the page says that it was done. */
  done(page: Page, words: string): Promise<void>
  readProduct(productId: string): Promise<StaffProduct>
  readOrder(order: Pick<Order, 'id'>): Promise<Order>
}

export function createOffice({ shop, open }: World): Office {
  let page: Page | undefined
  const office: Office = {
    get page() {
      assert.ok(page, 'The office is open.')
      return page
    },
    async open() {
      page = await office.signIn(await office.administrator())
    },
    async administrator() {
      // The session of the API tells that the credentials have arrived.
      await shop.admin()
      return shop.stack.readJson('admin.json') as Credentials
    },
    async signIn({ email, password }, how = {}) {
      const opened = await open({ ...how, path: '/sign-in?next=/office' })
      await opened.locator('input[name="email"]').fill(email)
      await opened.locator('input[name="password"]').fill(password)
      await opened.locator('main form button[type="submit"]').first().click()
      await opened.waitForURL(({ pathname }) => pathname === '/office')
      return opened
    },
    async signInAsStaff(who) {
      const opened = await office.signIn(who)
      await eventually(async () => {
        const answer = await opened.goto('/office')
        if (answer?.status() !== 200) throw new Error(`The office answers ${answer?.status()}.`)
      })
      return opened
    },
    async find(at, path, words) {
      await at.goto(path)
      const field = at.getByRole('search').locator('input[type="search"]')
      await field.fill(words)
      await field.press('Enter')
      await at.waitForURL((url) => url.searchParams.get('q') === words)
    },
    async done(at, words) {
      await at.getByRole('status').getByText(words).waitFor()
    },
    async readProduct(productId) {
      const token = await shop.admin()
      return shop.api.ask('getCatalogueProduct', { token, params: { productId } })
    },
    async readOrder({ id }) {
      const token = await shop.admin()
      return shop.api.ask('getOrder', { token, params: { orderId: id } })
    },
  }
  return office
}
