import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { toTitleCase } from '../../src/import/online-retail.ts'
import { parseCatalogue } from '../../src/import/parse.ts'

const text = await readFile(new URL('fixtures/online-retail.csv', import.meta.url), 'utf8')
const catalogue = await parseCatalogue(text, { currency: 'EUR', stock: 40 })

test('goods become products with their most frequent description and last price in pounds', () => {
  assert.deepEqual(
    catalogue.products.map(({ slug, title, category, variants }) => [
      slug,
      title,
      category,
      variants.map(({ sku, price, stock }) => ({ sku, price, stock })),
    ]),
    [
      [
        'red-lantern-set-of-6-12345a',
        'Red Lantern, Set of 6',
        'Giftware',
        [{ sku: '12345A', price: { amountMinor: 339, currency: 'GBP' }, stock: 40 }],
      ],
      [
        'poppys-t-light-uk-54321',
        "Poppy's T-Light UK",
        'Giftware',
        [{ sku: '54321', price: { amountMinor: 85, currency: 'GBP' }, stock: 40 }],
      ],
    ],
  )
})

test('every line that sells no good is reported with its line and reason', () => {
  assert.deepEqual(
    catalogue.rejected.map(({ line, code, field }) => [line, code, field]),
    [
      [6, 'QUANTITY_NEGATIVE', 'Quantity'],
      [7, 'NOT_GOODS', 'StockCode'],
      [8, 'NOT_GOODS', 'StockCode'],
      [9, 'DESCRIPTION_MISSING', 'Description'],
      [10, 'PRICE_ZERO', 'UnitPrice'],
      [11, 'PRICE_NEGATIVE', 'UnitPrice'],
      [12, 'PRICE_TOO_MANY_DECIMALS', 'UnitPrice'],
      [13, 'PRICE_MALFORMED', 'UnitPrice'],
      [14, 'QUANTITY_MALFORMED', 'Quantity'],
    ],
  )
  assert.equal(catalogue.lines, 13)
  assert.equal(catalogue.acceptedLines, 4)
})

for (const code of ['DOT', 'M', 'D', 'C2', 'BANK CHARGES', 'AMAZONFEE', 'S', 'PADS', 'CRUK', '']) {
  test(`the code ${JSON.stringify(code)} is not a good's`, async () => {
    const line = `${code},Something,1,1.00`
    const { products, rejected } = await parseCatalogue(
      `StockCode,Description,Quantity,UnitPrice\n${line}`,
      { currency: 'GBP' },
    )
    assert.deepEqual(products, [])
    assert.equal(rejected[0]?.code, 'NOT_GOODS')
  })
}

test('a title in capitals is cased for reading and a mixed one stays', () => {
  assert.equal(
    toTitleCase('SET OF 3 LED T-LIGHTS FOR THE HOME'),
    'Set of 3 LED T-Lights for the Home',
  )
  assert.equal(toTitleCase('THE KING GIFT BAG 25x24x12cm'), 'THE KING GIFT BAG 25x24x12cm')
  assert.equal(toTitleCase('CAFÉ ÉTÉ'), 'Café Été')
})
