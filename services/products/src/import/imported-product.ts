import type { Money } from '@halles/kit/money'

export type ImportedImage = { url: string; alt: string | null }

export type ImportedVariant = {
  sku: string
  title: string
  /** One value for each of the product's options, in their order. */
  optionValues: string[]
  price: Money
  compareAtPrice: Money | null
  stock: number
  weightGrams: number | null
}

/** A product as every import format yields it. Its SKUs and its slug are unique in their file. */
export type ImportedProduct = {
  slug: string
  title: string
  descriptionHtml: string
  vendor: string | null
  category: string | null
  tags: string[]
  status: 'active' | 'draft'
  options: string[]
  images: ImportedImage[]
  variants: ImportedVariant[]
}

/** The title of the only variant of a product without options. */
export const defaultVariantTitle = 'Default'

/** What a shop's page, a database row and an event can carry without trouble; lengths in characters. */
export const importLimits = {
  title: 200,
  description: 20_000,
  /** Before sanitising, which takes time in proportion: room for the markup of an editor. */
  body: 60_000,
  vendor: 100,
  category: 100,
  tag: 60,
  tags: 50,
  optionName: 60,
  optionValue: 100,
  variants: 100,
  images: 50,
  url: 2_000,
  alt: 300,
  sku: 64,
  slug: 80,
  priceMinor: 99_999_999,
  stock: 1_000_000,
  weightGrams: 1_000_000,
} as const
