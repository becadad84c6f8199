import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseCatalogue } from '../../src/import/parse.ts'
import { deriveSku } from '../../src/import/shopify-row.ts'
import { sanitiseDescription, slugify, toPlainText } from '../../src/import/text.ts'

const text = await readFile(new URL('fixtures/shopify.csv', import.meta.url), 'utf8')
const fixture = await parseCatalogue(text, { currency: 'EUR' })
const [butter, salt] = fixture.products

test('rows of one handle become one product with its options, variants and images', () => {
  assert.deepEqual(butter, {
    slug: 'salt-butter',
    title: 'Salted Butter',
    descriptionHtml: butter?.descriptionHtml,
    vendor: 'Laiterie du Port',
    category: 'Dairy',
    tags: ['Butter', 'Salted'],
    status: 'active',
    options: ['Weight', 'Wrap'],
    images: [
      { url: 'https://images.example/butter.jpg', alt: null },
      { url: 'https://images.example/butter-side.jpg', alt: 'A side of butter' },
      { url: 'https://images.example/butter-paper.jpg', alt: null },
    ],
    variants: [
      {
        sku: 'SALT-BUTTER_125-G_PAPER',
        title: '125 g / Paper',
        optionValues: ['125 g', 'Paper'],
        price: { amountMinor: 290, currency: 'EUR' },
        compareAtPrice: { amountMinor: 320, currency: 'EUR' },
        stock: 12,
        weightGrams: 130,
      },
      {
        sku: '00250',
        title: '250 g / Paper',
        optionValues: ['250 g', 'Paper'],
        price: { amountMinor: 500, currency: 'EUR' },
        compareAtPrice: null,
        stock: 0,
        weightGrams: 256,
      },
    ],
  })
})

test('a body keeps its words and lists and loses scripts and attributes', () => {
  assert.equal(
    butter?.descriptionHtml,
    'Churned <strong>slowly</strong>.<br />\n<ul>\n<li>80 % fat, 5" long</li>\n</ul>',
  )
  assert.equal(toPlainText(butter.descriptionHtml), 'Churned slowly. 80 % fat, 5" long')
})

test('an unpublished product without options is a draft with one variant', () => {
  assert.equal(salt?.status, 'draft')
  assert.deepEqual(salt.options, [])
  assert.deepEqual(salt.variants, [
    {
      sku: 'ROCK-SALT',
      title: 'Default',
      optionValues: [],
      price: { amountMinor: 105, currency: 'EUR' },
      compareAtPrice: null,
      stock: 4,
      weightGrams: null,
    },
  ])
})

test('a bad row is rejected alone, a product without a title with all its rows', () => {
  assert.deepEqual(
    fixture.rejected.map(({ line, code, field, rows }) => [line, code, field, rows]),
    [
      [7, 'PRICE_MALFORMED', 'Variant Price', 1],
      [10, 'TITLE_MISSING', 'Title', 2],
    ],
  )
  assert.equal(fixture.lines, 7)
  assert.equal(fixture.acceptedLines, 4)
})

type Row = Record<string, string>

/** The file of these rows, with a column for every name that one of them uses. */
function parseRows(rows: readonly Row[], settings = { currency: 'EUR' }) {
  const names = [...new Set(['Handle', 'Title', 'Variant Price', ...rows.flatMap(Object.keys)])]
  const quote = (cell: string) => `"${cell.replaceAll('"', '""')}"`
  const lines = [names, ...rows.map((row) => names.map((name) => row[name] ?? ''))]
  return parseCatalogue(lines.map((cells) => cells.map(quote).join(',')).join('\n'), settings)
}

const size = (value: string, more: Row = {}): Row => ({
  Handle: 'p',
  'Option1 Value': value,
  'Variant Price': '1.00',
  ...more,
})
const first: Row = { ...size('S'), Title: 'P', 'Option1 Name': 'Size' }
const long = (length: number) => 'x'.repeat(length)

const brokenProducts: [string, Row[], string][] = [
  ['no valid variant', [{ ...first, 'Variant Price': '0' }], 'NO_VALID_VARIANT'],
  ['no row with a price', [{ Handle: 'p', Title: 'P' }], 'NO_VALID_VARIANT'],
  ['two variants of the same options', [first, size('s')], 'DUPLICATE_OPTION_VALUES'],
  [
    'one SKU for two variants',
    [{ ...first, 'Variant SKU': 'A' }, size('M', { 'Variant SKU': 'A' })],
    'DUPLICATE_SKU',
  ],
  ['two options of one name', [{ ...first, 'Option2 Name': 'size' }], 'OPTION_MISMATCH'],
  ['101 variants', [first, ...Array.from({ length: 100 }, (_, n) => size(`${n}`))], 'TOO_MANY'],
  ['a title of 201 characters', [{ ...first, Title: long(201) }], 'TOO_LONG'],
  ['a body of 20,001 characters', [{ ...first, 'Body (HTML)': long(20_001) }], 'TOO_LONG'],
  [
    'a body of markup beyond 60,000 characters',
    [{ ...first, 'Body (HTML)': '<p>'.repeat(20_001) }],
    'TOO_LONG',
  ],
  ['51 tags', [{ ...first, Tags: Array.from({ length: 51 }, (_, n) => n).join() }], 'TOO_MANY'],
  ['the mark of a gift card', [{ ...first, 'Gift Card': 'TRUE' }], 'GIFT_CARD'],
]

for (const [what, rows, code] of brokenProducts) {
  test(`a product with ${what} is rejected as a whole and the next one is kept`, async () => {
    const other = { Handle: 'other', Title: 'Other', 'Variant Price': '2.00' }
    const { products, rejected, rejectedTotal } = await parseRows([...rows, other])
    assert.deepEqual(
      products.map(({ slug }) => slug),
      ['other'],
    )
    assert.ok(rejected.some((rejection) => rejection.line === 2 && rejection.code === code))
    assert.equal(rejectedTotal, rows.length)
  })
}

const brokenRows: [string, Row, string][] = [
  ['a missing price', { 'Variant Price': '' }, 'PRICE_MISSING'],
  ['a negative price', { 'Variant Price': '-1.00' }, 'PRICE_NEGATIVE'],
  ['a price in words', { 'Variant Price': '€ 1' }, 'PRICE_MALFORMED'],
  ['a price in exponents', { 'Variant Price': '1e3' }, 'PRICE_MALFORMED'],
  ['a price below the cent', { 'Variant Price': '1.005' }, 'PRICE_TOO_MANY_DECIMALS'],
  ['a price of a million', { 'Variant Price': '1000000' }, 'PRICE_TOO_HIGH'],
  ['a former price in words', { 'Variant Compare At Price': 'more' }, 'PRICE_MALFORMED'],
  ['half a piece in stock', { 'Variant Inventory Qty': '0.5' }, 'QUANTITY_MALFORMED'],
  ['a weight in words', { 'Variant Grams': 'heavy' }, 'WEIGHT_MALFORMED'],
  ['no value for an option', { 'Option1 Value': '' }, 'OPTION_MISMATCH'],
  ['a value for an unknown option', { 'Option2 Value': 'Red' }, 'OPTION_MISMATCH'],
  ['a SKU of 65 characters', { 'Variant SKU': long(65) }, 'TOO_LONG'],
]

for (const [what, cells, code] of brokenRows) {
  test(`a variant with ${what} is rejected and its product goes on without it`, async () => {
    const row = size('M', { 'Variant SKU': 'm', ...cells })
    const { products, rejected } = await parseRows([first, row])
    assert.deepEqual(
      products[0]?.variants.map(({ title }) => title),
      ['S'],
    )
    assert.deepEqual(
      rejected.map((rejection) => [rejection.line, rejection.code]),
      [[3, code]],
    )
  })
}

test('the highest price and the longest title are still taken', async () => {
  const { products } = await parseRows([
    { ...first, Title: long(200), 'Variant Price': '999999.99', 'Body (HTML)': long(20_000) },
  ])
  assert.equal(products[0]?.variants[0]?.price.amountMinor, 99_999_999)
})

test('prices are read in the precision of their currency', async () => {
  const yen = await parseRows([{ ...first, 'Variant Price': '1200.00' }], { currency: 'JPY' })
  assert.deepEqual(yen.products[0]?.variants[0]?.price, { amountMinor: 1200, currency: 'JPY' })
})

test('an image that is no http address is dropped with its reason, its variant stays', async () => {
  const { products, rejected, rejectedTotal } = await parseRows([
    { ...first, 'Image Src': 'javascript:alert(1)' },
    { Handle: 'p', 'Image Src': 'butter.jpg' },
  ])
  assert.deepEqual(products[0]?.images, [])
  assert.deepEqual(
    rejected.map(({ line, code, rows }) => [line, code, rows]),
    [
      [2, 'IMAGE_URL_MALFORMED', 0],
      [3, 'IMAGE_URL_MALFORMED', 1],
    ],
  )
  assert.equal(rejectedTotal, 1)
})

test('a second product with a SKU or an address of an earlier one is rejected', async () => {
  const product = (handle: string, sku: string) => ({
    ...first,
    Handle: handle,
    'Variant SKU': sku,
  })
  const { products, rejected } = await parseRows([
    product('Café', 'A'),
    product('cafe', 'B'),
    product('tea', 'A'),
  ])
  assert.deepEqual(
    products.map(({ slug }) => slug),
    ['cafe'],
  )
  assert.deepEqual(
    rejected.map(({ line, code }) => [line, code]),
    [
      [3, 'DUPLICATE_SLUG'],
      [4, 'DUPLICATE_SKU'],
    ],
  )
})

test('a draft or archived product is not active even when it is published', async () => {
  const { products } = await parseRows([{ ...first, Published: 'TRUE', Status: 'archived' }])
  assert.equal(products[0]?.status, 'draft')
})

test('derived SKUs of different variants differ, also in scripts that a SKU cannot show', () => {
  assert.equal(deriveSku('shirt', ['Blue', 'X-Large']), 'SHIRT_BLUE_X-LARGE')
  assert.notEqual(deriveSku('shirt-blue', []), deriveSku('shirt', ['Blue']))
  assert.notEqual(deriveSku('shirt', ['红']), deriveSku('shirt', ['蓝']))
  assert.notEqual(deriveSku(long(80), ['a']), deriveSku(long(80), ['b']))
  assert.equal(deriveSku(long(80), ['a']).length, 64)
})

test('a slug has only letters, digits and hyphens and at most 80 of them', () => {
  assert.equal(slugify('Crème brûlée d’Été — Œufs & Co.'), 'creme-brulee-dete-oeufs-co')
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (name) => {
      assert.match(slugify(name), /^(?:[a-z0-9]+(?:-[a-z0-9]+)*)?$/)
      assert.ok(slugify(name).length <= 80)
    }),
  )
})

test('sanitising a description twice changes nothing', () => {
  assert.equal(sanitiseDescription('a&#1;\0b&nbsp;c'), 'ab c')
  const unparted = sanitiseDescription('<h1><div><h1>')
  assert.equal(sanitiseDescription(unparted), unparted)
  const piece = fc.oneof(
    fc.constantFrom(
      '<p>',
      '</p>',
      '<div>',
      '</div>',
      '<b>',
      '</b>',
      '<ul><li>',
      '<script>',
      '<br>',
    ),
    fc.constantFrom(
      '<img src=x onerror=y>',
      '&lt;b&gt;',
      '&amp;',
      '<h1>',
      '</h1>',
      '&#1;',
      '&#0',
      '<',
      '>',
      '"',
    ),
    fc.string({ maxLength: 8 }),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const once = sanitiseDescription(pieces.join(''))
      assert.equal(sanitiseDescription(once), once)
      assert.doesNotMatch(once, /<(?!\/?(?:p|br|ul|ol|li|strong|em|h3|h4)(?: \/)?>)/)
    }),
    { numRuns: 500 },
  )
})
