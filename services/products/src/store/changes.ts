import { sql, type Tx } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { outboxInsert, toOutboxRows } from '@halles/kit/outbox'
import { droppedImages } from '../domain/images.ts'
import type { Change, Product } from '../domain/product.ts'
import { deleteImages, insertImage } from './images.ts'
import {
  derivedColumns,
  fromProduct,
  fromVariants,
  type ProductRow,
  productColumns,
  toProduct,
  type VariantRow,
  variantColumns,
} from './rows.ts'

/*
 * The order of locks, the same on every path: a reservation's row, then variants by id, then
 * products by id. An edit locks all variants of its product first; an order locks the variants
 * that it moves and, only when an availability changes, their products afterwards. Messages are
 * appended under the product's lock, which keeps them in the order of their versions.
 */
const lockVariantsOfProducts = sql(
  'products.lock_variants_of_products',
  `select id from variants where product_id = any ($1::uuid[]) and not is_removed
   order by id for no key update`,
)
const lockProductRows = sql(
  'products.lock_products',
  `select ${productColumns.join(', ')} from products where id = any ($1::uuid[])
   order by id for no key update`,
)
// A statement of its own after the locks, so that it sees what they waited for.
const selectVariants = sql(
  'products.select_variants',
  `select ${variantColumns.join(', ')} from variants where product_id = any ($1::uuid[])
     and not is_removed order by product_id, position, id`,
)

/** Locks products with all their variants, for edits; unknown ids are left out. */
export async function lockProducts(tx: Tx, ids: readonly string[]): Promise<Product[]> {
  const locked = await tx.query(lockVariantsOfProducts, [ids])
  const products = await loadProducts(tx, ids)
  const seen = products.reduce((sum, { variants }) => sum + variants.length, 0)
  if (seen !== locked.length) {
    // An import added a variant between the two locks; the next try locks it as well.
    throw new AppError('unavailable', 'DATABASE_CONTENTION', 'The product is being changed.', {
      retryAfterSeconds: 1,
    })
  }
  return products
}

/**
 * Locks products whose moved variants the caller has locked already. The other variants are not
 * locked: only what the caller's own moves changed may be saved.
 */
export async function loadProducts(tx: Tx, ids: readonly string[]): Promise<Product[]> {
  const rows = await tx.query<ProductRow>(lockProductRows, [ids])
  const variants = Map.groupBy(
    await tx.query<VariantRow>(selectVariants, [ids]),
    (row) => row.product_id,
  )
  return rows.map((row) => toProduct(row, variants.get(row.id) ?? []))
}

function upsert(table: string, columns: readonly string[], parameter: number, kept: string[] = []) {
  const changing = columns.filter((column) => column !== 'id' && !kept.includes(column))
  return `insert into ${table} (${columns.join(', ')})
    select ${columns.join(', ')} from jsonb_populate_recordset(null::${table}, $${parameter}::jsonb)
    order by id
    on conflict (id) do update set
      ${changing.map((column) => `${column} = excluded.${column}`).join(', ')}
    returning id`
}

// What is reserved is moved by reservations alone, never by an edit.
const save = sql(
  'products.save_changes',
  `with saved as (${upsert('products', [...productColumns, ...derivedColumns], 1)}),
    saved_variants as (${upsert('variants', [...variantColumns, 'is_removed'], 2, ['reserved'])}),
    prices as (
      insert into price_history (variant_id, changed_by, changed_at, from_minor, to_minor, currency)
      select variant_id, changed_by, changed_at, from_minor, to_minor, currency
      from jsonb_populate_recordset(null::price_history, $3::jsonb)
    ),
    emitted as (${outboxInsert(4, 'saved')})
  select count(*) from saved`,
)

/** Saves changes of locked or new products with their prices' history and their messages. */
export async function saveChanges(tx: Tx, changes: readonly Change[], by: string): Promise<void> {
  if (changes.length === 0) return
  await tx.run(save, [
    JSON.stringify(changes.map(({ after }) => fromProduct(after))),
    JSON.stringify(changes.flatMap(changedVariants)),
    JSON.stringify(changes.flatMap((change) => changedPrices(change, by))),
    toOutboxRows(changes.flatMap(({ messages }) => messages)),
  ])
  const dropped = changes.flatMap(({ before, after }) => droppedImages(before, after))
  if (dropped.length > 0) await deleteImages(tx, dropped)
  for (const { upload, after } of changes) {
    if (upload) await insertImage(tx, upload, { productId: after.id, by, at: after.updatedAt })
  }
}

function changedVariants({ before, after }: Change) {
  const known = new Map(
    before && fromVariants(before).map((row) => [row.id, JSON.stringify(row)] as const),
  )
  const kept = new Set(after.variants.map(({ id }) => id))
  const removed = before ? fromVariants(before).filter(({ id }) => !kept.has(id)) : []
  return [
    ...removed.map((row) => ({ ...row, is_removed: true })),
    ...fromVariants(after).filter((row) => known.get(row.id) !== JSON.stringify(row)),
  ]
}

function changedPrices({ before, after }: Change, by: string) {
  const known = new Map(before?.variants.map(({ id, price }) => [id, price.amountMinor]))
  return after.variants.flatMap(({ id, price }) => {
    const from = known.get(id)
    if (from === undefined || from === price.amountMinor) return []
    return {
      variant_id: id,
      changed_by: by,
      changed_at: after.updatedAt,
      from_minor: from,
      to_minor: price.amountMinor,
      currency: price.currency,
    }
  })
}
