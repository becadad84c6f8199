import { type Database, type Statement, sql } from '@halles/kit/database'
import type { Product } from '../domain/product.ts'
import type { CatalogueSort, ListCatalogue, StaffCatalogue } from '../ports.ts'
import {
  type ProductRow,
  productColumns,
  toProduct,
  type VariantRow,
  variantColumns,
} from './rows.ts'
import { likeWords } from './search.ts'

const orders: Record<CatalogueSort, { key: string; type: string; direction: 'asc' | 'desc' }> = {
  newest: { key: 'id', type: 'uuid', direction: 'desc' },
  title: { key: 'title_key', type: 'text', direction: 'asc' },
  updated: { key: 'updated_at', type: 'timestamptz', direction: 'desc' },
}

// What availability tells of itself; see `availabilityOf`. Up to here an index knows who it is.
const scarce = 5

// One name for each combination, so that the connections prepare a bounded number of them.
function listStatement(query: ListCatalogue): Statement {
  const { sort, words, status, categoryKey, maxAvailable, after } = query
  const has = [words.length > 0, status, categoryKey, maxAvailable, after].map((part) =>
    part === undefined || part === false ? 0 : 1,
  )
  const isScarce = maxAvailable !== undefined && maxAvailable <= scarce
  let parameter = 0
  const next = () => {
    parameter += 1
    return `$${parameter}`
  }
  const conditions: string[] = []
  if (words.length > 0) {
    const [longest, others] = [next(), next()]
    // Each half has an index of its own.
    const found = (half: string) => `(status ${half} 'active' and search_text like ${longest})`
    conditions.push(`(${found('=')} or ${found('<>')})`)
    conditions.push(`search_text like all (${others}::text[])`)
  }
  if (status !== undefined) conditions.push(`status = ${next()}`)
  if (categoryKey !== undefined) conditions.push(`category_key = ${next()}`)
  if (maxAvailable !== undefined) {
    conditions.push(`id in (select product_id from variants where not is_removed
      ${isScarce ? "and availability <> 'in_stock'" : ''} and on_hand - reserved <= ${next()})`)
  }
  const { key, type, direction } = orders[sort]
  if (after !== undefined) {
    const than = direction === 'asc' ? '>' : '<'
    const [first, second] = [next(), next()]
    conditions.push(`(${key}, id) ${than} (${first}::${type}, ${second}::uuid)`)
  }
  const where = conditions.length > 0 ? `where ${conditions.join(' and ')}` : ''
  return sql(
    `products.list_catalogue_${sort}_${has.join('')}_${isScarce ? 1 : 0}`,
    `select ${productColumns.join(', ')}, ${key} as key from products ${where}
     order by ${key} ${direction}, id ${direction} limit ${next()}`,
  )
}

function listValues(query: ListCatalogue): unknown[] {
  const { words, status, categoryKey, maxAvailable, after, sort, limit } = query
  return [
    ...likeWords(words),
    ...[status, categoryKey, maxAvailable].filter((value) => value !== undefined),
    ...(after ? [sort === 'newest' ? after.id : after.key, after.id] : []),
    limit + 1,
  ]
}

const selectProduct = sql(
  'products.select_any_product',
  `select ${productColumns.join(', ')} from products where id = $1`,
)
// All that a removed product had went with it; of others what was removed is gone.
const selectVariantsOf = sql(
  'products.select_staff_variants',
  `select ${variantColumns.map((column) => `v.${column}`).join(', ')}
   from variants v join products p on p.id = v.product_id
   where product_id = any ($1::uuid[]) and (p.status = 'removed' or not v.is_removed)
   order by product_id, position, v.id`,
)
const selectHistory = sql(
  'products.select_price_history',
  `select id, changed_at as at, changed_by as by, from_minor as "fromMinor", to_minor as "toMinor",
     currency
   from price_history where variant_id = $1 and ($2::bigint is null or id < $2)
   order by id desc limit $3`,
)
const pricedColumns = `v.id as "variantId", p.id as "productId", v.sku, p.title,
  v.title as "variantTitle", json_build_object('amountMinor', v.price_minor,
    'currency', v.currency) as price`
const priced = (condition: string) =>
  `select ${pricedColumns} from variants v join products p on p.id = v.product_id
   where p.status <> 'removed' and not v.is_removed and ${condition}
   order by p.title_key, p.id, v.position limit $1`
const selectPricedByIds = sql('products.priced_by_ids', priced('v.id = any ($2::uuid[])'))
const selectPricedBySearch = sql(
  'products.priced_by_search',
  priced(`($2::text is null or ((p.status = 'active' and p.search_text like $2)
      or (p.status <> 'active' and p.search_text like $2)))
    and p.search_text like all ($3::text[]) and ($4::text is null or p.category_key = $4)`),
)

/** The catalogue as the staff see it: whatever the status, with the stock. */
export function createStaffCatalogue(database: Database): StaffCatalogue {
  async function withVariants(rows: readonly ProductRow[]): Promise<Product[]> {
    const variants = Map.groupBy(
      await database.query<VariantRow>(selectVariantsOf, [rows.map(({ id }) => id)]),
      (row) => row.product_id,
    )
    return rows.map((row) => toProduct(row, variants.get(row.id) ?? []))
  }
  return {
    async list(query) {
      type Row = ProductRow & { key: string | Date }
      const rows = await database.query<Row>(listStatement(query), listValues(query))
      const page = rows.slice(0, query.limit)
      const last = page.at(-1)
      const key = last?.key instanceof Date ? last.key.toISOString() : (last?.key ?? '')
      return {
        items: await withVariants(page),
        next: last && rows.length > query.limit ? { key, id: last.id } : undefined,
      }
    },
    async find(productId) {
      const row = await database.maybe<ProductRow>(selectProduct, [productId])
      return row && (await withVariants([row]))[0]
    },
    priceHistory: ({ variantId, before = null, limit }) =>
      database.query(selectHistory, [variantId, before, limit]),
    selectPriced({ variantIds, words, categoryKey = null }, limit) {
      if (variantIds) return database.query(selectPricedByIds, [limit, variantIds])
      const [longest = null, others = []] = likeWords(words)
      return database.query(selectPricedBySearch, [limit, longest, others, categoryKey])
    },
  }
}
