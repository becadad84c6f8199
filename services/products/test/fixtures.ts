import { fileURLToPath } from 'node:url'
import type { Database } from '@halles/kit/database'
import { uuidv7 } from '@halles/kit/ids'
import { inboxSchema } from '@halles/kit/inbox'
import { outboxSchema } from '@halles/kit/outbox'
import { createTestDatabase } from '@halles/kit/testing'
import type { NewProduct } from '../src/domain/edit.ts'
import type { Product } from '../src/domain/product.ts'
import { createResizer } from '../src/images/resize.ts'
import type { ImportedProduct } from '../src/import/imported-product.ts'
import { parseCatalogue } from '../src/import/parse.ts'
import type { Deps } from '../src/ports.ts'
import { createCatalogue } from '../src/store/catalogue.ts'
import { createImageStore } from '../src/store/images.ts'
import { createImportStore } from '../src/store/imports.ts'
import { createProductStore } from '../src/store/products.ts'
import { createReservationStore } from '../src/store/reservations.ts'
import { createStaffCatalogue } from '../src/store/staff-catalogue.ts'
import { createProduct } from '../src/use-cases/products.ts'

export const migrations = new URL('../migrations', import.meta.url)

export function euros(amountMinor: number) {
  return { amountMinor, currency: 'EUR' }
}

export const stamp = { at: new Date('2026-01-02T03:04:05.678Z'), newId: uuidv7 }

/** A unique text, so that tests of one database do not meet. */
export function unique(prefix: string): string {
  return `${prefix}-${uuidv7().slice(-12)}`
}

export function aNewProduct(input: Partial<NewProduct> = {}): NewProduct {
  return {
    title: unique('product'),
    variants: [{ sku: unique('SKU'), price: euros(1_000), quantity: 20 }],
    ...input,
  }
}

export function anImportedProduct(input: Partial<ImportedProduct> = {}): ImportedProduct {
  return {
    slug: unique('slug'),
    title: 'Imported',
    descriptionHtml: '<p>Good.</p>',
    vendor: null,
    category: 'Things',
    tags: ['a'],
    status: 'active',
    options: [],
    images: [],
    variants: [anImportedVariant()],
    ...input,
  }
}

export function anImportedVariant(input: Partial<ImportedProduct['variants'][number]> = {}) {
  return {
    sku: unique('SKU'),
    title: 'Default',
    optionValues: [],
    price: euros(500),
    compareAtPrice: null,
    stock: 10,
    weightGrams: null,
    ...input,
  }
}

export type Event = {
  type: string
  data: {
    productId: string
    version: number
    title: string
    status: string
    variants: { variantId: string; price: { amountMinor: number }; availability: string }[]
  }
}

export async function startStores() {
  const { database, url, drop } = await createTestDatabase({
    directory: fileURLToPath(migrations),
    schemas: [outboxSchema, inboxSchema],
  })
  const deps: Deps = {
    catalogue: createCatalogue(database),
    staffCatalogue: createStaffCatalogue(database),
    images: createImageStore(database),
    resizeImage: createResizer(),
    products: createProductStore(database),
    reservations: createReservationStore(database),
    imports: createImportStore(database),
    parse: parseCatalogue,
    clock: () => new Date(),
    newId: uuidv7,
  }
  const add = (input: Partial<NewProduct> = {}): Promise<Product> =>
    createProduct(deps, aNewProduct(input), 'tester')
  return { database, url, drop, deps, add }
}

/** What was emitted about a product, in order. */
export async function eventsOf(database: Database, productId: string): Promise<Event[]> {
  const { rows } = await database.pool.query<{ message: Event }>(
    'select message from outbox where partition_key = $1 order by id',
    [productId],
  )
  return rows.map(({ message }) => message)
}

export async function stockOf(database: Database, variantId: string) {
  const { rows } = await database.pool.query<{ on_hand: number; reserved: number }>(
    'select on_hand, reserved from variants where id = $1',
    [variantId],
  )
  return { onHand: rows[0]?.on_hand, reserved: rows[0]?.reserved }
}

export function variantIdOf(product: Product, index = 0): string {
  const variant = product.variants[index]
  if (!variant) throw new Error(`The product has no variant ${index}.`)
  return variant.id
}
