import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromCursor, toCursor } from '../../src/cursor.ts'
import {
  newProduct,
  patchProduct,
  priceVariant,
  removeProduct,
  stockVariant,
} from '../../src/domain/edit.ts'
import { availabilityOf, checkVersion, decideChange } from '../../src/domain/product.ts'
import { normalise, searchWords, titleKey } from '../../src/domain/search.ts'
import { aNewProduct, euros, stamp, variantIdOf } from '../fixtures.ts'

const aProduct = () => newProduct(aNewProduct({ title: 'Comté' }), stamp)
const typesOf = (change: ReturnType<typeof decideChange>) =>
  change?.messages.map(({ message }) => message.type.split('.')[2])

for (const [available, expected] of [
  [-1, 'out_of_stock'],
  [0, 'out_of_stock'],
  [1, 'low_stock'],
  [5, 'low_stock'],
  [6, 'in_stock'],
] as const) {
  test(`${available} available pieces are ${expected}`, () => {
    assert.equal(availabilityOf(available), expected)
  })
}

test('a new product is told as changed at version 1 with its complete state', () => {
  const change = decideChange(undefined, aProduct(), stamp)
  const [message] = change?.messages ?? []
  assert.deepEqual(typesOf(change), ['product-changed'])
  assert.equal(message?.message.data.version, 1)
  assert.equal(message?.message.data.variants[0]?.availability, 'in_stock')
})

test('a new price is one message at the next version, with the complete state', () => {
  const product = aProduct()
  const change = decideChange(product, priceVariant(product, variantIdOf(product), euros(1)), stamp)
  assert.deepEqual(typesOf(change), ['price-changed'])
  assert.equal(change?.after.version, 2)
  const data = change?.messages[0]?.message.data
  assert.equal(data?.version, 2)
  assert.equal(data?.title, 'Comté')
  assert.deepEqual(data?.variants[0]?.price, euros(1))
})

test('a change that changes nothing is not told', () => {
  const product = aProduct()
  const same = priceVariant(product, variantIdOf(product), euros(1_000))
  assert.equal(decideChange(product, same, stamp), undefined)
  assert.equal(decideChange(product, patchProduct(product, { title: 'Comté' }), stamp), undefined)
})

test('stock is told only when the availability becomes another one', () => {
  const product = aProduct()
  const stocked = (quantity: number) =>
    decideChange(
      product,
      stockVariant(product, variantIdOf(product), { onHand: quantity, seen: undefined }),
      stamp,
    )
  assert.deepEqual(typesOf(stocked(19)), [])
  assert.equal(stocked(19)?.after.version, 1)
  assert.equal(stocked(20), undefined)
  assert.deepEqual(typesOf(stocked(5)), ['availability-changed'])
})

test('a title and a price that change together are two messages with growing versions', () => {
  const product = aProduct()
  const wanted = priceVariant({ ...product, title: 'Beaufort' }, variantIdOf(product), euros(2))
  const change = decideChange(product, wanted, stamp)
  assert.deepEqual(typesOf(change), ['product-changed', 'price-changed'])
  assert.deepEqual(
    change?.messages.map(({ message }) => message.data.version),
    [2, 3],
  )
  assert.equal(change?.after.version, 3)
})

test('a removed product tells its removal and nothing afterwards', () => {
  const product = aProduct()
  const change = decideChange(product, removeProduct(product), stamp)
  assert.deepEqual(typesOf(change), ['product-removed'])
  const removed = change?.after ?? product
  assert.throws(() => patchProduct(removed, { title: 'x' }), { code: 'PRODUCT_NOT_FOUND' })
  assert.throws(() => priceVariant(removed, variantIdOf(removed), euros(1)), {
    code: 'VARIANT_NOT_FOUND',
  })
})

test('a price in another currency is refused and names the field', () => {
  const product = aProduct()
  const pounds = { amountMinor: 1, currency: 'GBP' }
  assert.throws(() => priceVariant(product, variantIdOf(product), pounds), {
    code: 'CURRENCY_MISMATCH',
    errors: [{ pointer: '/body/currency', detail: 'must be EUR' }],
  })
  const mixed = aNewProduct({
    variants: [
      { sku: 'A', price: euros(1), optionValues: ['a'] },
      { sku: 'B', price: pounds, optionValues: ['b'] },
    ],
    options: ['Letter'],
  })
  assert.throws(
    () => newProduct(mixed, stamp),
    (error: { code: string; errors: unknown }) => {
      assert.equal(error.code, 'CURRENCY_MISMATCH')
      assert.match(JSON.stringify(error.errors), /\/body\/variants\/1\/price\/currency/)
      return true
    },
  )
})

test('stock below what orders hold is refused', () => {
  const product = aProduct()
  const held = { ...product, variants: product.variants.map((v) => ({ ...v, reserved: 3 })) }
  assert.throws(() => stockVariant(held, variantIdOf(held), { onHand: 2, seen: undefined }), {
    code: 'STOCK_BELOW_RESERVED',
  })
  assert.equal(
    stockVariant(held, variantIdOf(held), { onHand: 3, seen: 20 }).variants[0]?.onHand,
    3,
  )
})

test('a SKU given twice and missing option values name their fields', () => {
  const input = aNewProduct({
    options: ['Size'],
    variants: [
      { sku: 'A', price: euros(1), optionValues: ['S'] },
      { sku: 'A', price: euros(1), optionValues: [] },
    ],
  })
  assert.throws(
    () => newProduct(input, stamp),
    (error: { errors: { pointer: string }[] }) => {
      assert.deepEqual(
        error.errors.map(({ pointer }) => pointer),
        ['/body/variants/1/sku', '/body/variants/1/optionValues'],
      )
      return true
    },
  )
})

test('a description loses its scripts', () => {
  const descriptionHtml = '<p onclick="x()">Good</p><script>alert(1)</script>'
  assert.equal(newProduct(aNewProduct({ descriptionHtml }), stamp).descriptionHtml, '<p>Good</p>')
})

test('a slug that looks like an id is refused', () => {
  const slug = '0190a5b4-0000-7000-8000-000000000000'
  assert.throws(() => newProduct(aNewProduct({ slug }), stamp), { code: 'INVALID_REQUEST' })
})

test('another version than the expected one is refused', () => {
  const product = aProduct()
  assert.throws(() => checkVersion(product, 2), { code: 'VERSION_MISMATCH' })
  checkVersion(product, 1)
  checkVersion(product, undefined)
})

test('search compares without case, accents and ligatures', () => {
  assert.equal(normalise('  Crème\tBRÛLÉE Œuf '), 'creme brulee oeuf')
  assert.deepEqual(searchWords('a Crème a'), ['creme', 'a'])
  assert.deepEqual(searchWords(' \u0301 '), [])
})

test('the longest title still makes a cursor within its limit', () => {
  for (const letter of ['a', 'é', '漢', '😀', '"', 'ﷺ']) {
    const key = titleKey(letter.repeat(200))
    const id = stamp.newId()
    const cursor = toCursor('title', { key, id })
    assert.ok(cursor.length <= 512)
    assert.deepEqual(fromCursor('title', cursor), { key, id })
  }
})

for (const cursor of ['x', 'bnVsbA', Buffer.from('["newest","no id"]').toString('base64url')]) {
  test(`the cursor ${cursor} is refused`, () => {
    assert.throws(() => fromCursor('newest', cursor), {
      code: 'INVALID_CURSOR',
      errors: [{ pointer: '/query/cursor', detail: 'is not a cursor of this list and sort' }],
    })
  })
}

test('a cursor of another sort is refused', () => {
  const cursor = toCursor('price', { key: 12, id: stamp.newId() })
  for (const sort of ['newest', 'title', '-price'] as const) {
    assert.throws(() => fromCursor(sort, cursor), { code: 'INVALID_CURSOR' })
  }
})
