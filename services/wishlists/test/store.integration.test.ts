import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { uuidv7 } from '@halles/kit/ids'
import { maxItems } from '../src/domain.ts'
import { createReplicaStore } from '../src/store/replica.ts'
import { createWishlistStore } from '../src/store/wishlists.ts'
import { aProduct, createWishlistDatabase, variantOf } from './support.ts'

const data = await createWishlistDatabase()
after(data.drop)
const wishlists = createWishlistStore(data.database)
const replica = createReplicaStore(data.database)
const at = new Date('2026-05-01T10:00:00Z')

async function variantsOnSale(count: number): Promise<string[]> {
  const variants = Array.from({ length: count }, (_, index) => ({
    ...variantOf(aProduct()),
    sku: `MANY-${index}`,
  }))
  await replica.apply(aProduct({ variants }))
  return variants.map(({ variantId }) => variantId)
}

test('an item added again stays as it was first added', async () => {
  const customerId = uuidv7()
  const [variantId = ''] = await variantsOnSale(1)
  const first = await wishlists.put({ customerId, variantId }, at)
  const again = await wishlists.put({ customerId, variantId }, new Date())
  assert.deepEqual(again, first)
  assert.equal(first?.addedAt, at.toISOString())
  assert.equal((await wishlists.read(customerId)).length, 1)
})

test('one item added many times at once is there once', async () => {
  const customerId = uuidv7()
  const [variantId = ''] = await variantsOnSale(1)
  const items = await Promise.all(
    Array.from({ length: 20 }, () => wishlists.put({ customerId, variantId }, at)),
  )
  assert.ok(items.every((item) => item?.variantId === variantId))
  assert.equal((await wishlists.read(customerId)).length, 1)
})

test('additions at once never exceed the size of a wishlist, and removal makes room', async () => {
  const customerId = uuidv7()
  const variantIds = await variantsOnSale(maxItems + 10)
  const results = await Promise.allSettled(
    variantIds.map((variantId) => wishlists.put({ customerId, variantId }, at)),
  )
  const refused = results.filter((result) => result.status === 'rejected')
  assert.equal(refused.length, 10)
  assert.ok(refused.every(({ reason }) => reason.code === 'WISHLIST_FULL'))
  const items = await wishlists.read(customerId)
  assert.equal(items.length, maxItems)
  const [newest] = items
  const missing = variantIds.find((id) => items.every(({ variantId }) => variantId !== id))
  assert.ok(newest && missing)
  await wishlists.remove({ customerId, variantId: newest.variantId })
  await wishlists.remove({ customerId, variantId: newest.variantId })
  await wishlists.put({ customerId, variantId: missing }, at)
  const known = items[1]?.variantId ?? ''
  assert.equal((await wishlists.put({ customerId, variantId: known }, at))?.variantId, known)
  await assert.rejects(wishlists.put({ customerId, variantId: newest.variantId }, at), {
    code: 'WISHLIST_FULL',
  })
})

test('a variant that is not on sale is not added, but stays where it was', async () => {
  const customerId = uuidv7()
  const product = aProduct()
  const { variantId } = variantOf(product)
  await replica.apply(product)
  await wishlists.put({ customerId, variantId }, at)
  await replica.apply({ ...product, version: 2, status: 'removed' })
  const [item] = await wishlists.read(customerId)
  assert.equal(item?.availability, 'out_of_stock')
  assert.deepEqual(await wishlists.put({ customerId, variantId }, at), item)
  assert.equal(await wishlists.put({ customerId: uuidv7(), variantId }, at), undefined)
  assert.equal(await wishlists.put({ customerId, variantId: uuidv7() }, at), undefined)
})
