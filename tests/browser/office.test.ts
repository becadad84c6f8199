import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { unique } from '../e2e/shop.ts'
import { describeInBrowser, inspect } from './browser.ts'
import { testAway } from './office/away.ts'
import { csvOfProducts } from './office/files.ts'
import { createOffice } from './office/office.ts'
import { testOrders } from './office/orders.ts'
import { testPeople } from './office/people.ts'
import { testProducts } from './office/products.ts'
import { walk } from './walk.ts'

describeInBrowser('the office', (world) => {
  const { shop } = world
  const office = createOffice(world)

  before(() => office.open())

  testProducts(world, office)
  testOrders(world, office)
  testPeople(world, office)
  testAway(world, office)

  test('staff who are not signed in are led to the sign-in and back', async () => {
    const guest = await world.open({ path: '/office/orders' })
    assert.match(guest.url(), /\/sign-in\?next=/)
    const { email, password } = await office.administrator()
    await guest.getByLabel('E-mail').fill(email)
    await guest.getByLabel('Password').fill(password)
    await guest.getByRole('button', { name: 'Sign in' }).click()
    await guest.getByRole('heading', { level: 1, name: 'Orders' }).waitFor()
    await guest.context().close()
  })

  test('the dashboard tells what waits, and each number leads to its list', async () => {
    const { page } = office
    const sold = await shop.sell({ quantity: 3 })
    const order = await shop.paidOrder(sold.variantId)
    await eventually(async () => {
      await page.goto('/office')
      const waiting = page.getByRole('region', { name: 'Paid, to be sent' })
      await waiting.getByRole('link', { name: order.id.slice(-8) }).waitFor({ timeout: 2_000 })
    })
    await page.getByRole('region', { name: 'Low stock' }).getByText('2', { exact: true }).waitFor()
    await inspect(page, 'office/dashboard')
    await page.getByRole('link', { name: 'To send' }).click()
    await page.getByRole('heading', { level: 1, name: 'Orders' }).waitFor()
  })

  test('the office works without scripts', async () => {
    const { product, variant } = await shop.sell({ amountMinor: 700 })
    const plain = await office.signIn(await office.administrator(), { scripts: false })
    await office.find(plain, '/office/products', product.title)
    await plain.getByRole('link', { name: product.title }).click()
    await plain.getByRole('link', { name: 'Prices and stock' }).click()
    await plain.getByLabel(`Price: ${variant.title}`).fill('8.00')
    await plain.getByRole('button', { name: `Save ${variant.title}` }).click()
    await office.done(plain, 'Saved.')
    const order = await shop.paidOrder(variant.id, 2)
    await plain.goto(`/office/orders/${order.id}`)
    await plain.getByLabel(product.title).last().fill('1')
    await plain.getByRole('button', { name: 'Continue…' }).click()
    await plain.getByRole('button', { name: 'Refund €8.00' }).click()
    await office.done(plain, 'The refund was asked for.')
    await plain.context().close()
  })

  test('every page of the office speaks French, and none is wrong for a screen reader', async () => {
    const page = await office.signIn(await office.administrator(), { locale: 'fr-FR' })
    const { productId, variantId } = await shop.sell()
    const { id: orderId } = await shop.paidOrder(variantId)
    const { id: customerId } = await shop.signUp()
    const csv = { token: await shop.admin(), body: csvOfProducts(unique()) }
    const { id: importId } = await shop.api.ask('importProducts', csv)
    const given = { productId, orderId, customerId, subjectId: customerId, importId }
    await walk({ start: '/office', folder: 'office-fr', given, lookAt: () => ({ page }) })
    await page.getByText('Introuvable').waitFor()
    await page.context().close()
  })

  test('the search is a key away', async () => {
    const { page } = office
    await page.goto('/office/products')
    await eventually(async () => {
      await page.keyboard.press('/')
      const focused = await page.evaluate<string | null>(
        "document.activeElement?.getAttribute('name')",
      )
      assert.equal(focused, 'q')
    })
  })
})
