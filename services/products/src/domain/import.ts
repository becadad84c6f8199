import type { ImportedProduct, ImportedVariant } from '../import/imported-product.ts'
import { isUploaded } from './images.ts'
import {
  availabilityOf,
  type Change,
  decideChange,
  type Product,
  type Stamp,
  type Variant,
} from './product.ts'

/**
 * How a product of the file is recognised in the catalogue: a Shopify file knows its products by
 * their handle, invoice lines know theirs by the code of the good.
 */
export type Identity = 'slug' | 'sku'

/** What the catalogue already has of a batch's slugs and SKUs. */
export type Known = {
  products: ReadonlyMap<string, Product>
  /** Product id by slug, and by SKU. */
  slugs: ReadonlyMap<string, string>
  skus: ReadonlyMap<string, string>
}

export type ImportOutcome =
  | { kind: 'created' | 'updated'; change: Change }
  | { kind: 'unchanged' }
  | { kind: 'rejected'; code: ImportRejection; reason: string }

export type ImportRejection =
  | 'SLUG_TAKEN'
  | 'SKU_TAKEN'
  | 'OPTIONS_DIFFER'
  | 'CURRENCY_MISMATCH'
  | 'TOO_MANY'

const maxVariants = 100

/**
 * What becomes of one product of a file. Variants that the file does not name stay; stock is set
 * only for variants that the import creates, since the shop's own count is newer than a file.
 */
export function planImport(
  imported: ImportedProduct,
  { identity, known, stamp }: { identity: Identity; known: Known; stamp: Stamp },
): ImportOutcome {
  const existing = findExisting(imported, identity, known)
  const rejection = findRejection(imported, existing, known)
  if (rejection) return rejection
  if (!existing) {
    const change = decideChange(undefined, createFrom(imported, stamp), stamp)
    return change ? { kind: 'created', change } : { kind: 'unchanged' }
  }
  const wanted =
    identity === 'slug' ? mergeAll(existing, imported, stamp) : reprice(existing, imported)
  const change = decideChange(existing, wanted, stamp)
  return change ? { kind: 'updated', change } : { kind: 'unchanged' }
}

function findExisting(
  { slug, variants }: ImportedProduct,
  identity: Identity,
  { products, slugs, skus }: Known,
): Product | undefined {
  const id = identity === 'slug' ? slugs.get(slug) : skus.get(variants[0]?.sku ?? '')
  const product = id === undefined ? undefined : products.get(id)
  // A good of an invoice is a product with one variant; another product's variant is not it.
  return identity === 'sku' && product?.variants.length !== 1 ? undefined : product
}

function findRejection(
  { slug, options, variants }: ImportedProduct,
  existing: Product | undefined,
  { slugs, skus }: Known,
): ImportOutcome | undefined {
  const rejected = (code: ImportRejection, problem: string) =>
    ({ kind: 'rejected', code, reason: `${slug}: ${problem}` }) as const
  if (!existing && slugs.has(slug)) {
    return rejected('SLUG_TAKEN', 'another product has this address.')
  }
  const taken = variants.find(({ sku }) => {
    const owner = skus.get(sku)
    return owner !== undefined && owner !== existing?.id
  })
  if (taken) return rejected('SKU_TAKEN', `the SKU ${taken.sku} belongs to another product.`)
  if (!existing) return undefined
  const currency = existing.variants[0]?.price.currency
  if (variants.some(({ price }) => price.currency !== currency)) {
    return rejected('CURRENCY_MISMATCH', `its prices are in ${currency} so far.`)
  }
  const given = new Set(variants.map(({ sku }) => sku))
  const left = existing.variants.filter(({ sku }) => !given.has(sku))
  if (left.length > 0 && options.length !== existing.options.length) {
    return rejected('OPTIONS_DIFFER', 'it has other options, and variants that the file lacks.')
  }
  if (left.length + variants.length > maxVariants) {
    return rejected('TOO_MANY', `it would have more than ${maxVariants} variants.`)
  }
  return undefined
}

function createFrom(imported: ImportedProduct, { at, newId }: Stamp): Product {
  const { variants, ...facts } = imported
  return {
    ...facts,
    id: newId(),
    variants: variants.map((variant) => newVariant(variant, newId())),
    createdAt: at,
    updatedAt: at,
    version: 1,
  }
}

function newVariant(
  { sku, title, optionValues, ...imported }: ImportedVariant,
  id: string,
): Variant {
  const { price, compareAtPrice, stock } = imported
  const availability = availabilityOf(stock)
  return {
    id,
    sku,
    title,
    optionValues,
    price,
    compareAtPrice,
    onHand: stock,
    reserved: 0,
    availability,
  }
}

function mergeAll(existing: Product, imported: ImportedProduct, { newId }: Stamp): Product {
  const bySku = new Map(existing.variants.map((variant) => [variant.sku, variant]))
  const given = imported.variants.map((variant): Variant => {
    const known = bySku.get(variant.sku)
    if (!known) return newVariant(variant, newId())
    const { title, optionValues, price, compareAtPrice } = variant
    return { ...known, title, optionValues, price, compareAtPrice }
  })
  const skus = new Set(given.map(({ sku }) => sku))
  const { variants: _variants, ...facts } = imported
  return {
    ...existing,
    ...facts,
    // What was uploaded here is no file's to take away.
    images: [...existing.images.filter(isUploaded), ...facts.images],
    variants: [...given, ...existing.variants.filter(({ sku }) => !skus.has(sku))],
  }
}

/** Invoice lines say a good's name and price and nothing else. */
function reprice(existing: Product, { title, variants }: ImportedProduct): Product {
  const price = variants[0]?.price
  return {
    ...existing,
    title,
    variants: existing.variants.map((variant) => (price ? { ...variant, price } : variant)),
  }
}
