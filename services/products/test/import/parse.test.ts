import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { AppError } from '@halles/kit/errors'
import fc from 'fast-check'
import { parseCatalogue } from '../../src/import/parse.ts'

const shopifyFile = new URL('fixtures/shopify.csv', import.meta.url)
const retailFile = new URL('fixtures/online-retail.csv', import.meta.url)
const options = { currency: 'EUR' }

test('the format is told by the header row, whatever the order and case of its columns', async () => {
  const shopify = await parseCatalogue('TITLE,variant price,Handle\nSalt,1.00,salt\n', options)
  assert.equal(shopify.format, 'shopify')
  assert.equal(shopify.products[0]?.title, 'Salt')
  const retail = await parseCatalogue(await readFile(retailFile, 'utf8'), options)
  assert.equal(retail.format, 'online-retail')
})

for (const text of ['', '\n\n', 'name;price\nsalt;1\n', '"', 'Handle,Title\nsalt,Salt\n']) {
  test(`a file that begins with ${JSON.stringify(text.slice(0, 12))} is of no known format`, async () => {
    await assert.rejects(
      parseCatalogue(text, options),
      (error) =>
        error instanceof AppError &&
        error.kind === 'unprocessable' &&
        error.code === 'UNKNOWN_IMPORT_FORMAT' &&
        /Handle, Title, Variant Price.*StockCode/.test(error.message),
    )
  })
}

test('a file that is not what the caller says it is, is refused', async () => {
  const text = await readFile(retailFile, 'utf8')
  await assert.rejects(parseCatalogue(text, { ...options, format: 'shopify' }), {
    code: 'UNKNOWN_IMPORT_FORMAT',
  })
})

test('a file that is not UTF-8 is refused', async () => {
  const latin1 = Buffer.from('Handle,Title,Variant Price\nthe,Thé,1.00\n', 'latin1')
  await assert.rejects(parseCatalogue(inPieces(latin1, 7), options), { code: 'IMPORT_NOT_UTF8' })
})

test('a file that is too large is refused before it is all in memory', async () => {
  let sent = 0
  async function* endless() {
    for (;;) {
      sent += 1
      yield Buffer.alloc(8 * 1024 * 1024, 'x')
    }
  }
  await assert.rejects(parseCatalogue(endless(), options), { code: 'IMPORT_TOO_LARGE' })
  assert.equal(sent, 9)
})

test('a byte order mark and CRLF change nothing but the bytes', async () => {
  const text = 'Handle,Title,Variant Price\nthe,Thé,1.00\nbad,Bad,free\n'
  const plain = await parseCatalogue(text, options)
  const windows = await parseCatalogue(`\uFEFF${text.replaceAll('\n', '\r\n')}`, options)
  assert.deepEqual(windows, plain)
  assert.equal(plain.rejected[0]?.line, 3)
})

for (const end of ['\n', '\r\n', '\r']) {
  test(`lines are counted physically where a quoted cell holds ${JSON.stringify(end)}`, async () => {
    const rows = ['Handle,Title,Variant Price', `a,"A${end}${end}b",1.00`, '', 'b,B,free', 'c,C,no']
    const { rejected, lines, products } = await parseCatalogue(rows.join(end), options)
    assert.deepEqual(
      rejected.filter(({ rows }) => rows > 0).map(({ line }) => line),
      [6, 7],
    )
    assert.equal(lines, 3)
    assert.equal(products[0]?.title, 'A b')
  })
}

test('a row with too few or too many columns is reported and the rest goes on', async () => {
  const text = 'Handle,Title,Variant Price\na,A\nb,B,1.00,2\nc,C,1.00\n'
  const { rejected, products } = await parseCatalogue(text, options)
  assert.deepEqual(
    rejected.map(({ line, code }) => [line, code]),
    [
      [2, 'COLUMN_COUNT'],
      [3, 'COLUMN_COUNT'],
    ],
  )
  assert.deepEqual(
    products.map(({ slug }) => slug),
    ['c'],
  )
})

test('a quote that is never closed costs its own row, not the rest of the file', async () => {
  const text = 'Handle,Title,Variant Price\na,A,1.00\nb,"B,1.00\nc,C,1.00\nd,D,free\n'
  const { rejected, products, lines } = await parseCatalogue(text, options)
  assert.deepEqual(
    products.map(({ slug }) => slug),
    ['a', 'c'],
  )
  assert.deepEqual(
    rejected.map(({ line, code, rows }) => [line, code, rows]),
    [
      [3, 'MALFORMED_CSV', 1],
      [5, 'PRICE_MALFORMED', 1],
      [5, 'NO_VALID_VARIANT', 0],
    ],
  )
  assert.equal(lines, 4)
})

test('a file of many unclosed quotes is given up with every row counted', async () => {
  const cell = `"${'x'.repeat(300 * 1024)}`
  const text = `Handle,Title,Variant Price\n${`a,A,${cell}\n`.repeat(30)}`
  const { rejected, rejectedTotal, lines } = await parseCatalogue(text, options)
  assert.equal(lines, 30)
  assert.equal(rejectedTotal, 30)
  assert.equal(rejected.at(-1)?.rows, 10)
})

test('a cell across the pieces of a stream is read whole', async () => {
  const bytes = await readFile(shopifyFile)
  const whole = await parseCatalogue(bytes.toString(), options)
  assert.deepEqual(await parseCatalogue(inPieces(bytes, 3), options), whole)
})

test('a file larger than one slice keeps its line numbers', async () => {
  const body = `"${'word\n'.repeat(400)}"`
  const rows = Array.from(
    { length: 100 },
    (_, n) => `p${n},P,${n % 10 === 9 ? 'x' : '1.00'},${body}`,
  )
  const text = `Handle,Title,Variant Price,Body (HTML)\n${rows.join('\n')}`
  const { rejected } = await parseCatalogue(text, options)
  assert.deepEqual(
    rejected.filter(({ code }) => code === 'PRICE_MALFORMED').map(({ line }) => line),
    Array.from({ length: 10 }, (_, n) => 2 + (n * 10 + 9) * 401),
  )
})

for (const file of [shopifyFile, retailFile]) {
  test(`the same ${file.pathname.split('/').at(-1)} gives the same products again`, async () => {
    const text = await readFile(file, 'utf8')
    const first = await parseCatalogue(text, { ...options, stock: 5 })
    assert.deepEqual(await parseCatalogue(text, { ...options, stock: 5 }), first)
    assert.ok(first.products.length > 0)
  })
}

test('details of rejections are bounded, their counts are not', async () => {
  const text = `StockCode,Description,Quantity,UnitPrice\n${'POST,POSTAGE,1,18\n'.repeat(1500)}`
  const { rejected, rejectedTotal, rejectedByCode } = await parseCatalogue(text, options)
  assert.equal(rejected.length, 1000)
  assert.equal(rejectedTotal, 1500)
  assert.deepEqual(rejectedByCode, { NOT_GOODS: 1500 })
})

const cell = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom('', '"', '1.00', '-1', '2.345', 'a', 'Default Title', '12345', '\0', 'a"b', '"x'),
)
const quoted = cell.map((text) => `"${text.replaceAll('"', '""')}"`)
const row = fc.array(fc.oneof(cell, quoted), { minLength: 1, maxLength: 9 })
const header = fc.constantFrom(
  ['Handle', 'Title', 'Variant Price'],
  ['Handle', 'Title', 'Variant Price', 'Body (HTML)', 'Option1 Name', 'Option1 Value', 'Image Src'],
  ['StockCode', 'Description', 'Quantity', 'UnitPrice'],
  ['name', 'price'],
)
const csvText = fc
  .tuple(header, fc.array(row, { maxLength: 20 }), fc.constantFrom('\n', '\r\n', '\r'))
  .map(([names, rows, end]) => [names, ...rows].map((cells) => cells.join(',')).join(end))

test('whatever the text, every row is either in a product or rejected', async () => {
  let read = 0
  await fc.assert(
    fc.asyncProperty(fc.oneof(csvText, csvText, fc.string()), async (text) => {
      const result = await parseCatalogue(text, options).catch((error: unknown) => {
        assert.ok(error instanceof AppError, `${error} is not an AppError`)
        return undefined
      })
      if (!result) return
      read += 1
      const { lines, acceptedLines, rejected, rejectedTotal, rejectedByCode, products } = result
      assert.equal(acceptedLines + rejectedTotal, lines)
      assert.equal(sum(Object.values(rejectedByCode)), rejectedTotal)
      assert.equal(sum(rejected.map(({ rows }) => rows)), rejectedTotal)
      const lastLine = text.split(/\r\n|\n|\r/).length
      assert.ok(rejected.every(({ line }) => line >= 1 && line <= lastLine))
      const skus = products.flatMap(({ variants }) => variants.map(({ sku }) => sku))
      assert.equal(new Set(skus).size, skus.length)
      assert.equal(new Set(products.map(({ slug }) => slug)).size, products.length)
      for (const { slug, title, variants } of products) {
        assert.match(slug, /^[a-z0-9-]{1,80}$/)
        assert.ok(title !== '' && !title.includes('\0'))
        assert.ok(variants.every(({ price }) => Number.isSafeInteger(price.amountMinor)))
      }
    }),
    { numRuns: 500 },
  )
  assert.ok(read > 100, 'too few of the texts had a known header')
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

async function* inPieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
