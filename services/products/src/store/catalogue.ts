import { type Database, type Statement, sql } from '@halles/kit/database'
import { isUuid } from '@halles/kit/ids'
import type { Product } from '../domain/product.ts'
import type { Catalogue, ListProducts, Page, Sort } from '../ports.ts'
import {
  type ProductRow,
  productColumns,
  toProduct,
  type VariantRow,
  variantColumns,
} from './rows.ts'
import { likeWords } from './search.ts'

const orders: Record<Sort, { key: string; type: string; direction: 'asc' | 'desc' }> = {
  // Ids are UUIDv7: their order is the order of creation.
  newest: { key: 'id', type: 'uuid', direction: 'desc' },
  title: { key: 'title_key', type: 'text', direction: 'asc' },
  price: { key: 'price_from', type: 'bigint', direction: 'asc' },
  '-price': { key: 'price_from', type: 'bigint', direction: 'desc' },
}

type PageRow = { id: string; key: string | number; summary: string }

/*
 * The limit is written into the statement: with a parameter PostgreSQL cannot tell that the page is
 * short and plans anew each time, which costs five times as much as the query. Three sizes do.
 */
const pageSizes = [20, 50, 100] as const

const statements = new Map<string, Statement>()

/**
 * One prepared statement for each combination of sort and filters, so that each has a plan that
 * fits its index. It reads one row more than the page to know whether there is another page.
 */
function listStatement({ limit, sort, words, categoryKey, after }: ListProducts): Statement {
  const size = pageSizes.find((each) => limit <= each) ?? limit
  const [hasWords, hasCategory, hasPosition] = [
    words.length > 0,
    categoryKey !== undefined,
    !!after,
  ]
  const name = `products.list_${sort}_${size}_${hasWords}_${hasCategory}_${hasPosition}`
  const known = statements.get(name)
  if (known) return known
  const { key, type, direction } = orders[sort]
  let parameter = 0
  const next = () => {
    parameter += 1
    return `$${parameter}`
  }
  const conditions = ["status = 'active'"]
  // The longest word goes to the trigram index; the others are checked on what it finds.
  if (hasWords) {
    conditions.push(`search_text like ${next()}`, `search_text like all (${next()}::text[])`)
  }
  if (hasCategory) conditions.push(`category_key = ${next()}`)
  if (hasPosition) {
    const than = direction === 'asc' ? '>' : '<'
    conditions.push(
      key === 'id'
        ? `id ${than} ${next()}`
        : `(${key}, id) ${than} (${next()}::${type}, ${next()})`,
    )
  }
  const order = key === 'id' ? `id ${direction}` : `${key} ${direction}, id ${direction}`
  const statement = sql(
    name,
    `select id, ${key} as key, summary from products
     where ${conditions.join(' and ')} order by ${order} limit ${size + 1}`,
  )
  statements.set(name, statement)
  return statement
}

function listValues({ words, categoryKey, after, sort }: ListProducts): unknown[] {
  return [
    ...likeWords(words),
    ...(categoryKey === undefined ? [] : [categoryKey]),
    ...(after === undefined ? [] : sort === 'newest' ? [after.id] : [after.key, after.id]),
  ]
}

const findById = sql(
  'products.find_by_id',
  "select id, version, document from products where id = $1 and status = 'active'",
)
const findBySlug = sql(
  'products.find_by_slug',
  "select id, version, document from products where slug = $1 and status = 'active'",
)
const selectOwner = sql(
  'products.select_owner',
  `select ${productColumns.join(', ')} from products
   where id = (select product_id from variants where id = $1)`,
)
const selectSiblings = sql(
  'products.select_siblings',
  `select ${variantColumns.join(', ')} from variants where product_id = $1 and not is_removed
   order by position, id`,
)

export function createCatalogue(database: Database): Catalogue {
  return {
    async list(query) {
      const rows = await database.query<PageRow>(listStatement(query), listValues(query))
      return toPage(rows, query.limit)
    },
    find: (idOrSlug) => database.maybe(isUuid(idOrSlug) ? findById : findBySlug, [idOrSlug]),
    async findByVariant(variantId): Promise<Product | undefined> {
      const row = await database.maybe<ProductRow>(selectOwner, [variantId])
      return row && toProduct(row, await database.query<VariantRow>(selectSiblings, [row.id]))
    },
  }
}

function toPage(rows: readonly PageRow[], limit: number): Page {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    items: page.map(({ summary }) => summary).join(','),
    ids: page.map(({ id }) => id),
    next: last && rows.length > limit ? { key: last.key, id: last.id } : undefined,
  }
}
