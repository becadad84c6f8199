import { toDocument, toSummary } from '../domain/documents.ts'
import type { Availability, Image, Product, Variant } from '../domain/product.ts'
import { priceFrom } from '../domain/product.ts'
import { categoryKey, searchText, titleKey } from '../domain/search.ts'

export type ProductRow = {
  id: string
  slug: string
  title: string
  description_html: string
  vendor: string | null
  category: string | null
  tags: string[]
  status: Product['status']
  options: string[]
  images: Image[]
  created_at: Date
  updated_at: Date
  version: number
}

export type VariantRow = {
  id: string
  product_id: string
  position: number
  sku: string
  title: string
  option_values: string[]
  price_minor: number
  currency: string
  compare_at_minor: number | null
  on_hand: number
  reserved: number
  availability: Availability
}

export const productColumns = [
  'id',
  'slug',
  'title',
  'description_html',
  'vendor',
  'category',
  'tags',
  'status',
  'options',
  'images',
  'created_at',
  'updated_at',
  'version',
] as const

export const derivedColumns = [
  'category_key',
  'title_key',
  'price_from',
  'search_text',
  'summary',
  'document',
] as const

export const variantColumns = [
  'id',
  'product_id',
  'position',
  'sku',
  'title',
  'option_values',
  'price_minor',
  'currency',
  'compare_at_minor',
  'on_hand',
  'reserved',
  'availability',
] as const

export function toProduct(row: ProductRow, variants: readonly VariantRow[]): Product {
  return {
    id: row.id,
    slug: row.slug,
    title: row.title,
    descriptionHtml: row.description_html,
    vendor: row.vendor,
    category: row.category,
    tags: row.tags,
    status: row.status,
    options: row.options,
    images: row.images,
    variants: variants.map(toVariant),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  }
}

function toVariant(row: VariantRow): Variant {
  const { currency, compare_at_minor: compareAt } = row
  return {
    id: row.id,
    sku: row.sku,
    title: row.title,
    optionValues: row.option_values,
    price: { amountMinor: row.price_minor, currency },
    compareAtPrice: compareAt === null ? null : { amountMinor: compareAt, currency },
    onHand: row.on_hand,
    reserved: row.reserved,
    availability: row.availability,
  }
}

/** The product's row as JSON, with all that is derived from it. */
export function fromProduct(product: Product) {
  return {
    id: product.id,
    slug: product.slug,
    title: product.title,
    description_html: product.descriptionHtml,
    vendor: product.vendor,
    category: product.category,
    tags: product.tags,
    status: product.status,
    options: product.options,
    images: product.images,
    created_at: product.createdAt,
    updated_at: product.updatedAt,
    version: product.version,
    category_key: product.category === null ? null : categoryKey(product.category),
    title_key: titleKey(product.title),
    price_from: priceFrom(product).amountMinor,
    search_text: searchText(product),
    summary: JSON.stringify(toSummary(product)),
    document: JSON.stringify(toDocument(product)),
  }
}

/** The rows of all variants as JSON, in the product's order. */
export function fromVariants(product: Product) {
  return product.variants.map((variant, position) => ({
    id: variant.id,
    product_id: product.id,
    position,
    sku: variant.sku,
    title: variant.title,
    option_values: variant.optionValues,
    price_minor: variant.price.amountMinor,
    currency: variant.price.currency,
    compare_at_minor: variant.compareAtPrice?.amountMinor ?? null,
    on_hand: variant.onHand,
    reserved: variant.reserved,
    availability: variant.availability,
    is_removed: product.status === 'removed',
  }))
}
