import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { unique } from '../../e2e/shop.ts'
import { findViolations, inspect, type World } from '../browser.ts'
import { csvOfProducts, squarePng } from './files.ts'
import type { Office } from './office.ts'

/** What the staff do with the catalogue. */
export function testProducts({ shop }: World, office: Office): void {
  test('a product is found, edited and described anew', async () => {
    const { page } = office
    const { product } = await shop.sell()
    await office.find(page, '/office/products', product.title)
    await inspect(page, 'office/products')
    await page.getByRole('link', { name: product.title }).click()
    await page.getByLabel('Stall').fill('Bread')
    await page.getByRole('button', { name: 'Save' }).click()
    await office.done(page, 'Saved.')
    await inspect(page, 'office/product')
    const { category } = await office.readProduct(product.id)
    assert.equal(category, 'Bread')
  })

  test('the price and the stock of one variant are set in its row', async () => {
    const { page } = office
    const { product, variant, variantId } = await shop.sell({ amountMinor: 500, quantity: 20 })
    await page.goto(`/office/products/${product.id}/stock`)
    await page.getByLabel(`Price: ${variant.title}`).fill('6,40')
    await page.getByLabel(`On hand: ${variant.title}`).fill('33')
    await page.getByRole('button', { name: `Save ${variant.title}` }).click()
    await office.done(page, 'Saved.')
    await page.getByRole('link', { name: 'Price history' }).click()
    await page.getByRole('heading', { name: /has cost/ }).waitFor()
    await inspect(page, 'office/product-stock')
    const { variants } = await office.readProduct(product.id)
    assert.equal(variants[0]?.price.amountMinor, 640)
    assert.equal((await shop.stockOf(variantId)).quantity, 33)
  })

  test('stock that moved since it was looked at is not overwritten', async () => {
    const { page } = office
    const { product, variant, variantId } = await shop.sell({ quantity: 20 })
    await page.goto(`/office/products/${product.id}/stock`)
    const token = await shop.admin()
    await shop.api.ask('setStock', { token, params: { variantId }, body: { quantity: 19 } })
    await page.getByLabel(`On hand: ${variant.title}`).fill('25')
    await page.getByRole('button', { name: `Save ${variant.title}` }).click()
    await page.getByRole('alert').getByText('The stock changed while you looked.').waitFor()
    assert.equal((await shop.stockOf(variantId)).quantity, 19)
  })

  test('a variant is added and another one removed', async () => {
    const { page } = office
    const { product, variant } = await shop.sell()
    const sku = `NEW-${unique()}`
    await page.goto(`/office/products/${product.id}/variants`)
    await page.getByLabel('Option 1', { exact: true }).fill('Size')
    await page.getByLabel('Option 1, row 1').fill('Small')
    await page.getByLabel('SKU, row 2').fill(sku)
    await page.getByLabel('Option 1, row 2').fill('Large')
    await page.getByLabel('Price, row 2', { exact: true }).fill('9.90')
    await page.getByLabel('On hand, row 2').fill('7')
    await page.getByRole('button', { name: 'Save' }).click()
    await office.done(page, 'Saved.')
    await inspect(page, 'office/product-variants')
    await page.getByLabel('Remove, row 1').check()
    await page.getByRole('button', { name: 'Save' }).click()
    await eventually(async () => {
      const { variants } = await office.readProduct(product.id)
      assert.deepEqual(
        variants.map((each) => each.sku),
        [sku],
      )
    })
    assert.notEqual(variant.sku, sku)
  })

  test('an image is uploaded, and shown in the shop', async () => {
    const { page } = office
    const { product } = await shop.sell()
    await page.goto(`/office/products/${product.id}/images`)
    const file = { name: 'p.png', mimeType: 'image/png', buffer: squarePng(40) }
    await page.getByLabel('File (JPEG').setInputFiles(file)
    await page.getByLabel('What it shows').last().fill('A basket of pears')
    await page.getByRole('button', { name: 'Upload' }).click()
    await office.done(page, 'Saved.')
    const image = page.getByRole('img', { name: 'A basket of pears' })
    await image.waitFor()
    await inspect(page, 'office/product-images')
    const width = await image.evaluate((element) => Number(Reflect.get(element, 'naturalWidth')))
    assert.ok(width > 0)
    await page.getByText('Remove', { exact: true }).first().click()
    await page.getByRole('button', { name: 'Remove' }).click()
    await page.getByText('No images yet').waitFor()
  })

  test('a product is created as a draft and removed from sale after a question', async () => {
    const { page } = office
    const title = `Pears ${unique()}`
    await page.goto('/office/products')
    await page.getByRole('link', { name: 'New product' }).click()
    await page.getByRole('heading', { level: 1, name: 'New product' }).waitFor()
    await page.getByLabel('Name').fill(title)
    await page.getByLabel('SKU').fill(`P-${unique()}`)
    await page.getByLabel('Price').fill('2.50')
    await inspect(page, 'office/new-product')
    await page.getByRole('button', { name: 'Create' }).click()
    await office.done(page, 'Created as a draft.')
    const productId = new URL(page.url()).pathname.split('/').at(-1) ?? ''
    assert.equal((await office.readProduct(productId)).status, 'draft')
    await page.getByText('Remove from sale…').click()
    await page.getByRole('button', { name: 'Remove' }).click()
    await office.done(page, 'The product was removed from sale.')
    assert.equal((await office.readProduct(productId)).status, 'removed')
  })

  test('prices change together: chosen in the list, previewed, then applied', async () => {
    const { page } = office
    const word = `bulk${unique().replaceAll('-', '')}`
    const first = await shop.sell({ title: `Apples ${word}`, amountMinor: 1_000 })
    const second = await shop.sell({ title: `Plums ${word}`, amountMinor: 2_000 })
    await office.find(page, '/office/products', word)
    await page.getByLabel(`Choose Apples ${word}`).check()
    await page.getByLabel(`Choose Plums ${word}`).check()
    await page.getByRole('button', { name: 'Change the prices of the chosen' }).click()
    await page.getByText('2 variants chosen').waitFor()
    await page.getByLabel('How much').fill('-10')
    await page.getByRole('button', { name: 'Preview' }).click()
    await page.getByRole('heading', { name: '2 prices would change' }).waitFor()
    await inspect(page, 'office/prices')
    // Somebody is faster: what is applied is never anything but what was seen.
    const price = { amountMinor: 3_000, currency: 'EUR' }
    const token = await shop.admin()
    const params = { variantId: first.variantId }
    await shop.api.ask('setPrice', { token, params, body: price })
    await page.getByRole('button', { name: 'Change 2 prices' }).click()
    await page.getByText('Prices changed since the preview.').waitFor()
    await page.getByText('€27.00').waitFor()
    await page.getByRole('button', { name: 'Change 2 prices' }).click()
    await office.done(page, 'The prices were changed.')
    for (const [productId, amount] of [
      [first.productId, 2_700],
      [second.productId, 1_800],
    ] as const) {
      const { variants } = await office.readProduct(productId)
      assert.equal(variants[0]?.price.amountMinor, amount)
    }
  })

  test('a catalogue is imported, and what was left out is listed with its line', async () => {
    const { page } = office
    await page.goto('/office/imports')
    await inspect(page, 'office/imports')
    const buffer = Buffer.from(csvOfProducts(unique()))
    await page
      .getByLabel('CSV file')
      .setInputFiles({ name: 'products.csv', mimeType: 'text/csv', buffer })
    await page.getByRole('button', { name: 'Start the import' }).click()
    await page.getByRole('heading', { level: 1, name: 'Import finished' }).waitFor()
    await page.getByRole('heading', { name: 'Rejected lines' }).waitFor()
    await inspect(page, 'office/import')
  })

  test('who saves over somebody else sees what they changed and keeps what was typed', async () => {
    const { page } = office
    const { product } = await shop.sell()
    await page.goto(`/office/products/${product.id}`)
    const token = await shop.admin()
    const params = { productId: product.id }
    await shop.api.ask('updateProduct', { token, params, body: { vendor: 'Somebody else' } })
    await page.getByLabel('Stall').fill('Cheese')
    await page.getByRole('button', { name: 'Save' }).click()
    const told = page.getByRole('alert')
    await told.getByText('Somebody else', { exact: true }).waitFor()
    assert.deepEqual(await findViolations(page), [])
    assert.equal(await page.getByLabel('Stall').inputValue(), 'Cheese')
    await page.getByRole('button', { name: 'Save' }).click()
    await office.done(page, 'Saved.')
    assert.equal((await office.readProduct(product.id)).category, 'Cheese')
  })
}
