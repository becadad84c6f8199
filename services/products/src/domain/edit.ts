import { AppError, type FieldError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'
import { defaultVariantTitle } from '../import/imported-product.ts'
import { sanitiseDescription, shortHash, slugify } from '../import/text.ts'
import { chooseImages } from './images.ts'
import type { Image, Product, Stamp, Variant } from './product.ts'
import { availabilityOf, checkExists, variantNotFound } from './product.ts'

export type NewVariant = {
  sku: string
  title?: string
  optionValues?: string[]
  price: Money
  compareAtPrice?: Money
  quantity?: number
}

export type NewProduct = {
  slug?: string
  title: string
  descriptionHtml?: string
  vendor?: string | null
  category?: string | null
  tags?: string[]
  status?: 'active' | 'draft'
  options?: string[]
  images?: Image[]
  variants: NewVariant[]
}

export type ProductPatch = Partial<Omit<NewProduct, 'options' | 'variants'>>

/**
 * A product of its first description.
 * @throws invalid or unprocessable, naming the fields that do not fit together.
 */
export function newProduct(input: NewProduct, { at, newId }: Stamp): Product {
  const options = (input.options ?? []).map((option) => option.trim())
  const { images, faults: imageFaults } = chooseImages(input.images ?? [], [])
  const faults = [
    ...slugFaults(input.slug),
    ...variantFaults(input.variants, options),
    ...imageFaults,
  ]
  if (faults.length > 0) throw invalid(faults)
  checkCurrencies(input.variants)
  return {
    id: newId(),
    slug: input.slug ?? (slugify(input.title) || `product-${shortHash(input.title)}`),
    title: input.title.trim(),
    descriptionHtml: sanitiseDescription(input.descriptionHtml ?? ''),
    vendor: input.vendor?.trim() || null,
    category: input.category?.trim() || null,
    tags: [...new Set(input.tags ?? [])],
    status: input.status ?? 'active',
    options,
    images,
    variants: input.variants.map((variant) => newVariant(variant, newId())),
    createdAt: at,
    updatedAt: at,
    version: 1,
  }
}

export function newVariant(input: NewVariant, id: string): Variant {
  const optionValues = input.optionValues ?? []
  const onHand = input.quantity ?? 0
  return {
    id,
    sku: input.sku,
    title: input.title?.trim() ?? (optionValues.join(' / ') || defaultVariantTitle),
    optionValues,
    price: input.price,
    compareAtPrice: input.compareAtPrice ?? null,
    onHand,
    reserved: 0,
    availability: availabilityOf(onHand),
  }
}

export function invalid(errors: readonly FieldError[]): AppError {
  const detail = 'The request has fields that cannot be used.'
  return new AppError('invalid', 'INVALID_REQUEST', detail, { errors })
}

const uuidShape = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** An address finds a product by id or by slug, so no slug may look like an id. */
function slugFaults(slug: string | undefined): FieldError[] {
  if (slug === undefined || !uuidShape.test(slug)) return []
  return [{ pointer: '/body/slug', detail: 'must not look like an id' }]
}

export function variantFaults(
  variants: readonly NewVariant[],
  options: readonly string[],
): FieldError[] {
  const faults: FieldError[] = []
  const skus = new Set<string>()
  const values = new Set<string>()
  for (const [index, { sku, optionValues = [] }] of variants.entries()) {
    const pointer = `/body/variants/${index}`
    const key = JSON.stringify(optionValues).toLowerCase()
    if (skus.has(sku)) faults.push({ pointer: `${pointer}/sku`, detail: 'is given twice' })
    if (optionValues.length !== options.length) {
      const detail = `must have one value for each of the ${options.length} options`
      faults.push({ pointer: `${pointer}/optionValues`, detail })
    } else if (values.has(key)) {
      faults.push({ pointer: `${pointer}/optionValues`, detail: 'are given twice' })
    }
    skus.add(sku)
    values.add(key)
  }
  return faults
}

export function checkCurrencies(
  variants: readonly NewVariant[],
  currency = variants[0]?.price.currency ?? '',
): void {
  const errors = variants.flatMap(({ price, compareAtPrice }, index) =>
    [
      { money: price, field: 'price' },
      { money: compareAtPrice, field: 'compareAtPrice' },
    ]
      .filter(({ money }) => money !== undefined && money.currency !== currency)
      .map(({ field }) => ({
        pointer: `/body/variants/${index}/${field}/currency`,
        detail: `must be ${currency}, as the other prices`,
      })),
  )
  if (errors.length > 0) throw currencyMismatch(errors)
}

function currencyMismatch(errors: readonly FieldError[]): AppError {
  const detail = 'All prices of a product are in one currency.'
  return new AppError('unprocessable', 'CURRENCY_MISMATCH', detail, { errors })
}

/** The product as the patch wants it; what the patch does not name stays. */
export function patchProduct(product: Product, patch: ProductPatch): Product {
  checkExists(product)
  const { images, faults: imageFaults } = chooseImages(patch.images ?? [], product.images)
  const faults = [...slugFaults(patch.slug), ...imageFaults]
  if (faults.length > 0) throw invalid(faults)
  return {
    ...product,
    ...(patch.slug === undefined ? {} : { slug: patch.slug }),
    ...(patch.title === undefined ? {} : { title: patch.title.trim() }),
    ...(patch.descriptionHtml === undefined
      ? {}
      : { descriptionHtml: sanitiseDescription(patch.descriptionHtml) }),
    ...(patch.vendor === undefined ? {} : { vendor: patch.vendor?.trim() || null }),
    ...(patch.category === undefined ? {} : { category: patch.category?.trim() || null }),
    ...(patch.tags === undefined ? {} : { tags: [...new Set(patch.tags)] }),
    ...(patch.status === undefined ? {} : { status: patch.status }),
    ...(patch.images === undefined ? {} : { images }),
  }
}

/** Taken from sale for good. Reservations stay: an order keeps what it has been promised. */
export function removeProduct(product: Product): Product {
  checkExists(product)
  return { ...product, status: 'removed' }
}

/** @throws unprocessable when the price is in another currency than the product's. */
export function priceVariant(product: Product, variantId: string, price: Money): Product {
  return withVariant(product, variantId, (variant) => {
    if (price.currency !== variant.price.currency) {
      const detail = `must be ${variant.price.currency}`
      throw currencyMismatch([{ pointer: '/body/currency', detail }])
    }
    return { ...variant, price: { amountMinor: price.amountMinor, currency: price.currency } }
  })
}

/** @throws conflict when fewer pieces are on hand than orders hold. */
/**
 * Sets the pieces on hand.
 * @param seen how many were there when somebody looked; undefined replaces whatever there is.
 * @throws precondition-failed when pieces came or went since.
 */
export function stockVariant(
  product: Product,
  variantId: string,
  { onHand, seen }: { onHand: number; seen: number | undefined },
): Product {
  return withVariant(product, variantId, (variant) => {
    if (seen !== undefined && seen !== variant.onHand) throw stockMoved(variant.onHand, seen)
    if (onHand < variant.reserved) {
      throw new AppError(
        'conflict',
        'STOCK_BELOW_RESERVED',
        `${variant.reserved} pieces are reserved for orders; the stock cannot be ${onHand}.`,
        {
          errors: [{ pointer: '/body/quantity', detail: `must be at least ${variant.reserved}` }],
          details: { reserved: variant.reserved },
        },
      )
    }
    return { ...variant, onHand }
  })
}

function stockMoved(onHand: number, seen: number): AppError {
  return new AppError(
    'precondition-failed',
    'STOCK_MOVED',
    `The stock changed meanwhile: ${onHand} pieces are on hand, not ${seen}.`,
    { errors: [{ pointer: '/headers/if-match', detail: `is not "${onHand}"` }] },
  )
}

export function findVariant(product: Product, variantId: string): Variant {
  const variant = product.variants.find(({ id }) => id === variantId)
  if (!variant || product.status === 'removed') throw variantNotFound()
  return variant
}

function withVariant(
  product: Product,
  variantId: string,
  change: (variant: Variant) => Variant,
): Product {
  const changed = change(findVariant(product, variantId))
  return {
    ...product,
    variants: product.variants.map((variant) => (variant.id === variantId ? changed : variant)),
  }
}
