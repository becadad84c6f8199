import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Identity, type Known, planImport } from '../../src/domain/import.ts'
import type { Product } from '../../src/domain/product.ts'
import { anImportedProduct, anImportedVariant, euros, stamp } from '../fixtures.ts'

function knowing(...products: Product[]): Known {
  return {
    products: new Map(products.map((product) => [product.id, product])),
    slugs: new Map(products.map(({ id, slug }) => [slug, id])),
    skus: new Map(products.flatMap(({ id, variants }) => variants.map(({ sku }) => [sku, id]))),
  }
}

function plan(imported = anImportedProduct(), known = knowing(), identity: Identity = 'slug') {
  return planImport(imported, { identity, known, stamp })
}

function created(imported = anImportedProduct()): Product {
  const outcome = plan(imported)
  assert.equal(outcome.kind, 'created')
  if (outcome.kind !== 'created') throw new Error('unreachable')
  return outcome.change.after
}

test('the same product again is unchanged', () => {
  const imported = anImportedProduct()
  assert.deepEqual(plan(imported, knowing(created(imported))), { kind: 'unchanged' })
  assert.deepEqual(plan(imported, knowing(created(imported)), 'sku'), { kind: 'unchanged' })
})

test('an import sets stock only for variants that it creates', () => {
  const [old, added] = [anImportedVariant({ optionValues: ['S'] }), anImportedVariant()]
  const imported = anImportedProduct({ options: ['Size'], variants: [old] })
  const known = created(imported)
  const more = [
    { ...old, stock: 99 },
    { ...added, optionValues: ['M'], stock: 7 },
  ]
  const outcome = plan({ ...imported, variants: more }, knowing(known))
  assert.equal(outcome.kind, 'updated')
  const after = outcome.kind === 'updated' ? outcome.change.after : known
  assert.deepEqual(
    after.variants.map(({ onHand }) => onHand),
    [10, 7],
  )
  assert.equal(after.variants[0]?.id, known.variants[0]?.id)
})

test('variants that the file does not name stay', () => {
  const [small, large] = ['S', 'L'].map((size) => anImportedVariant({ optionValues: [size] }))
  if (!small || !large) throw new Error('unreachable')
  const imported = anImportedProduct({ options: ['Size'], variants: [small, large] })
  const outcome = plan({ ...imported, variants: [large] }, knowing(created(imported)))
  const skus = outcome.kind === 'updated' ? outcome.change.after.variants.map(({ sku }) => sku) : []
  assert.deepEqual(skus, [large.sku, small.sku])
  const fewer = plan(
    { ...imported, options: [], variants: [anImportedVariant()] },
    knowing(created(imported)),
  )
  assert.equal(fewer.kind === 'rejected' && fewer.code, 'OPTIONS_DIFFER')
})

test('a slug or a SKU of another product is rejected with the reason', () => {
  const known = created()
  const sameSku = anImportedProduct({
    variants: [anImportedVariant({ sku: known.variants[0]?.sku ?? '' })],
  })
  const rejected = plan(sameSku, knowing(known))
  assert.equal(rejected.kind === 'rejected' && rejected.code, 'SKU_TAKEN')
  const sameSlug = plan(anImportedProduct({ slug: known.slug }), knowing(known), 'sku')
  assert.equal(sameSlug.kind === 'rejected' && sameSlug.code, 'SLUG_TAKEN')
})

test('a good of an invoice keeps its address and description, and gets its name and price', () => {
  const imported = anImportedProduct()
  const known = { ...created(imported), category: 'Edited' }
  const renamed = {
    ...imported,
    slug: 'another-slug',
    title: 'Renamed',
    descriptionHtml: '',
    variants: imported.variants.map((variant) => ({ ...variant, price: euros(7) })),
  }
  const outcome = plan(renamed, knowing(known), 'sku')
  assert.equal(outcome.kind, 'updated')
  if (outcome.kind !== 'updated') return
  const { after, messages } = outcome.change
  assert.deepEqual([after.slug, after.category, after.title], [imported.slug, 'Edited', 'Renamed'])
  assert.equal(after.variants[0]?.price.amountMinor, 7)
  assert.equal(messages.length, 2)
})

test('a file in another currency than the product is rejected', () => {
  const imported = anImportedProduct()
  const pounds = imported.variants.map((variant) => ({
    ...variant,
    price: { amountMinor: 5, currency: 'GBP' },
  }))
  const outcome = plan({ ...imported, variants: pounds }, knowing(created(imported)))
  assert.equal(outcome.kind === 'rejected' && outcome.code, 'CURRENCY_MISMATCH')
})
