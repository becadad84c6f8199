import { type Database, isUniqueViolation, sql } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { type Product, productNotFound } from '../domain/product.ts'
import type { ProductStore } from '../ports.ts'
import { lockProducts, saveChanges } from './changes.ts'

const selectTakenSkus = sql(
  'products.select_taken_skus',
  'select sku from variants where sku = any ($1::text[]) and not is_removed and product_id <> $2',
)

export function createProductStore(database: Database): ProductStore {
  async function takenError(error: unknown, product: Product | undefined): Promise<unknown> {
    if (isUniqueViolation(error, 'products_slug')) {
      return new AppError('conflict', 'SLUG_TAKEN', 'Another product has this address.', {
        errors: [{ pointer: '/body/slug', detail: 'is taken' }],
      })
    }
    if (!product || !isUniqueViolation(error, 'variants_sku')) return error
    const skus = product.variants.map(({ sku }) => sku)
    const rows = await database.query<{ sku: string }>(selectTakenSkus, [skus, product.id])
    const taken = new Set(rows.map(({ sku }) => sku))
    return new AppError('conflict', 'SKU_TAKEN', 'Another variant has this SKU.', {
      errors: skus.flatMap((sku, index) =>
        taken.has(sku) ? [{ pointer: `/body/variants/${index}/sku`, detail: 'is taken' }] : [],
      ),
    })
  }

  return {
    async create(change, { by }) {
      try {
        await database.transaction((tx) => saveChanges(tx, [change], by))
      } catch (error) {
        throw await takenError(error, change.after)
      }
    },
    async change(productId, { by }, decide) {
      let wanted: Product | undefined
      try {
        return await database.transaction(async (tx) => {
          const [product] = await lockProducts(tx, [productId])
          if (!product) throw productNotFound()
          const change = decide(product)
          if (!change) return product
          wanted = change.after
          await saveChanges(tx, [change], by)
          return change.after
        })
      } catch (error) {
        throw await takenError(error, wanted)
      }
    },
    changeAll: (productIds, { by }, decide) =>
      database.transaction(async (tx) => {
        const changes = decide(await lockProducts(tx, productIds))
        await saveChanges(tx, changes, by)
      }),
  }
}
