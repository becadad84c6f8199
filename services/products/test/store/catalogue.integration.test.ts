import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fromCursor, toCursor } from '../../src/cursor.ts'
import type { Sort } from '../../src/ports.ts'
import {
  createProduct,
  dropProduct,
  listProducts,
  type Search,
  setPrice,
  updateProduct,
} from '../../src/use-cases/products.ts'
import { aNewProduct, euros, eventsOf, startStores, unique, variantIdOf } from '../fixtures.ts'

let stores: Awaited<ReturnType<typeof startStores>>
before(async () => {
  stores = await startStores()
})
after(async () => stores?.drop())

const edit = { by: 'tester', expectedVersion: undefined }
type Summary = { id: string; title: string; priceFrom: { amountMinor: number }; version: number }

async function list(search: Partial<Search> = {}) {
  const query = {
    limit: 20,
    sort: 'newest',
    after: undefined,
    text: undefined,
    category: undefined,
  }
  const page = await listProducts(stores.deps, { ...(query as Search), ...search })
  return { ...page, items: JSON.parse(`[${page.items}]`) as Summary[] }
}

async function walk(
  sort: Sort,
  search: Partial<Search>,
  onPage = async () => undefined as unknown,
) {
  const items: Summary[] = []
  let after: Search['after']
  do {
    const page = await list({ ...search, sort, limit: 4, after })
    assert.equal(page.items.length, page.ids.length)
    items.push(...page.items)
    // Through the cursor, as a client would.
    after = page.next && fromCursor(sort, toCursor(sort, page.next))
    await onPage()
  } while (after)
  return items
}

for (const sort of ['newest', 'title', 'price', '-price'] as const) {
  test(`pages by ${sort} show each product exactly once while others are added`, async () => {
    const category = unique('Category')
    const price = (index: number) => euros(100 * (index % 3))
    const add = (index: number) =>
      stores.add({
        category,
        title: `Same title ${index % 2}`,
        variants: [{ sku: unique('SKU'), price: price(index) }],
      })
    const known: string[] = []
    for (let index = 0; index < 12; index += 1) known.push((await add(index)).id)
    let added = 0
    const items = await walk(sort, { category }, async () => {
      added += 1
      await add(added)
    })
    const ids = items.map(({ id }) => id)
    assert.equal(new Set(ids).size, ids.length)
    for (const id of known) assert.ok(ids.includes(id))
    const prices = items.map(({ priceFrom }) => priceFrom.amountMinor)
    if (sort === 'price')
      assert.deepEqual(
        prices,
        prices.toSorted((a, b) => a - b),
      )
    if (sort === '-price')
      assert.deepEqual(
        prices,
        prices.toSorted((a, b) => b - a),
      )
  })
}

test('the last page says that it is the last, also when it is full', async () => {
  const category = unique('Category')
  for (let index = 0; index < 4; index += 1) await stores.add({ category })
  assert.notEqual((await list({ category, limit: 3 })).next, undefined)
  assert.equal((await list({ category, limit: 4 })).next, undefined)
  assert.equal((await list({ category: unique('None') })).items.length, 0)
})

test('a product is found by title, category, tag and SKU, without accents and case', async () => {
  const mark = unique('mark')
  const sku = unique('Tasse')
  const product = await stores.add({
    title: `Crème Brûlée ${mark}`,
    category: 'Pâtisserie',
    tags: ['Œufs'],
    variants: [{ sku, price: euros(1) }],
  })
  for (const text of ['creme', 'BRÛLÉE', 'patisserie', 'oeufs', sku.toLowerCase(), 'rem ule']) {
    const { items } = await list({ text: `${text} ${mark}` })
    assert.deepEqual(
      items.map(({ id }) => id),
      [product.id],
      text,
    )
  }
  assert.equal((await list({ text: `nothing ${mark}` })).items.length, 0)
  assert.equal((await list({ category: 'patisserie' })).items.length, 1)
})

test('strange search terms mean themselves', async () => {
  const mark = unique('odd')
  const titles = [
    `100% ${mark}`,
    `a_b ${mark}`,
    `it's "x" ${mark}`,
    `\\ back ${mark}`,
    `🧀 ${mark}`,
  ]
  for (const title of titles) await stores.add({ title })
  for (const term of ['%', '_', "'", '"', '\\', '🧀']) {
    const { items } = await list({ text: `${term} ${mark}` })
    assert.equal(items.length, 1, term)
    assert.ok(items[0]?.title.includes(term))
  }
  for (const text of ["'; drop table products; --", '%%%%', '\\', ')(*&^', '漢字', '\u0301', '𝕏']) {
    await list({ text })
  }
})

test('only active products are listed and found', async () => {
  const category = unique('Category')
  const draft = await stores.add({ category, status: 'draft' })
  const removed = await stores.add({ category })
  await dropProduct(stores.deps, removed.id, edit)
  assert.equal((await list({ category })).items.length, 0)
  for (const key of [draft.id, draft.slug, removed.id, removed.slug]) {
    assert.equal(await stores.deps.catalogue.find(key), undefined)
  }
  await updateProduct(stores.deps, draft.id, { status: 'active' }, edit)
  assert.equal((await list({ category })).items.length, 1)
})

test('a taken slug or SKU is refused and named; a removed product gives them free', async () => {
  const first = await stores.add({ slug: unique('slug') })
  const sku = first.variants[0]?.sku ?? ''
  const other = aNewProduct({ options: ['N'] })
  const twoSkus = [unique('SKU'), sku].map((each) => ({
    sku: each,
    price: euros(1),
    optionValues: [each],
  }))
  const sameSku = { ...other, variants: twoSkus }
  await assert.rejects(createProduct(stores.deps, sameSku, 'tester'), {
    code: 'SKU_TAKEN',
    errors: [{ pointer: '/body/variants/1/sku', detail: 'is taken' }],
  })
  const sameSlug = aNewProduct({ slug: first.slug })
  await assert.rejects(createProduct(stores.deps, sameSlug, 'tester'), { code: 'SLUG_TAKEN' })
  const second = await stores.add()
  const patch = { slug: first.slug }
  await assert.rejects(updateProduct(stores.deps, second.id, patch, edit), { code: 'SLUG_TAKEN' })
  await dropProduct(stores.deps, first.id, edit)
  await createProduct(stores.deps, { ...sameSlug, variants: [{ sku, price: euros(1) }] }, 'tester')
})

test('products of the same title get addresses of their own', async () => {
  const title = unique('Same')
  const [a, b] = [await stores.add({ title }), await stores.add({ title })]
  assert.notEqual(a.slug, b.slug)
  assert.match(b.slug, /^same-[0-9a-f]+-[0-9a-f]{8}$/)
})

test('a price is written with its history, told once, and shown at once', async () => {
  const product = await stores.add()
  const variantId = variantIdOf(product)
  await setPrice(stores.deps, variantId, euros(1_500), { by: 'alice', expectedVersion: 1 })
  await setPrice(stores.deps, variantId, euros(1_500), { by: 'bob', expectedVersion: 2 })
  const stale = { by: 'bob', expectedVersion: 1 }
  await assert.rejects(setPrice(stores.deps, variantId, euros(1), stale), {
    code: 'VERSION_MISMATCH',
  })
  const events = await eventsOf(stores.database, product.id)
  assert.deepEqual(
    events.map(({ type, data }) => [type, data.version, data.variants[0]?.price.amountMinor]),
    [
      ['halles.products.product-changed.v1', 1, 1_000],
      ['halles.products.price-changed.v1', 2, 1_500],
    ],
  )
  const { rows } = await stores.database.pool.query(
    'select changed_by, from_minor, to_minor from price_history where variant_id = $1',
    [variantId],
  )
  assert.deepEqual(rows, [{ changed_by: 'alice', from_minor: 1_000, to_minor: 1_500 }])
  const { document } = (await stores.deps.catalogue.find(product.slug)) ?? {}
  assert.equal(JSON.parse(document ?? '{}').variants[0].price.amountMinor, 1_500)
})

test('20 concurrent prices are told in the order of their versions', async () => {
  const product = await stores.add()
  const prices = Array.from({ length: 20 }, (_, index) => 2_000 + index)
  await Promise.all(
    prices.map((price) => setPrice(stores.deps, variantIdOf(product), euros(price), edit)),
  )
  const events = await eventsOf(stores.database, product.id)
  assert.deepEqual(
    events.map(({ data }) => data.version),
    Array.from({ length: 21 }, (_, index) => index + 1),
  )
  const { document } = (await stores.deps.catalogue.find(product.id)) ?? {}
  const last = events.at(-1)?.data.variants[0]?.price.amountMinor
  assert.equal(JSON.parse(document ?? '{}').variants[0].price.amountMinor, last)
})

test('texts that grow when they are compared are kept and found', async () => {
  const category = 'ﷺ'.repeat(100)
  const { id } = await stores.add({ category, title: 'ﷺ'.repeat(200), tags: ['ﷺ'.repeat(100)] })
  const { items } = await list({ category, sort: 'title', text: 'ﷺ' })
  assert.deepEqual(
    items.map((item) => item.id),
    [id],
  )
})
