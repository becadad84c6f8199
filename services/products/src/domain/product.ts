import {
  availabilityChanged,
  type ProductState,
  priceChanged,
  productChanged,
  productRemoved,
} from '@halles/contracts/gen/messages/products'
import {
  createMessage,
  type MessageContract,
  type OutgoingMessage,
} from '@halles/contracts/message'
import { AppError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'
import type { Upload } from './images.ts'

export type Availability = 'in_stock' | 'low_stock' | 'out_of_stock'
/** On another site; or uploaded, with an id and a size. */
export type Image = {
  url: string
  alt: string | null
  id?: string
  width?: number
  height?: number
}

export type Variant = {
  id: string
  sku: string
  title: string
  /** One value for each of the product's options. */
  optionValues: string[]
  price: Money
  compareAtPrice: Money | null
  onHand: number
  reserved: number
  /** As last published. */
  availability: Availability
}

export type Product = {
  id: string
  slug: string
  title: string
  descriptionHtml: string
  vendor: string | null
  category: string | null
  tags: string[]
  status: 'active' | 'draft' | 'removed'
  options: string[]
  images: Image[]
  variants: Variant[]
  createdAt: Date
  updatedAt: Date
  version: number
}

/** When and under which ids something is decided; both come from outside. */
export type Stamp = { at: Date; newId: () => string }

/** A decided change: what to save, and the messages that tell of it. */
export type Change = {
  before: Product | undefined
  after: Product
  messages: OutgoingMessage<ProductState>[]
  /** An image that is kept with the change. */
  upload?: Upload
}

/** Pieces that remain when a shop begins to say that there are few. */
const lowStockThreshold = 5

export function availabilityOf(available: number): Availability {
  if (available <= 0) return 'out_of_stock'
  return available <= lowStockThreshold ? 'low_stock' : 'in_stock'
}

/** The best of the variants: one that can be bought makes the product one that can be. */
export function availabilityOfProduct({ variants }: Product): Availability {
  if (variants.some(({ availability }) => availability === 'in_stock')) return 'in_stock'
  const isLow = variants.some(({ availability }) => availability === 'low_stock')
  return isLow ? 'low_stock' : 'out_of_stock'
}

export function priceFrom({ variants }: Product): Money {
  const prices = variants.map(({ price }) => price)
  return prices.reduce((least, price) => (price.amountMinor < least.amountMinor ? price : least))
}

/**
 * What has to be saved and told when `before` becomes `wanted`; undefined when nothing differs.
 * Each kind of difference is one message with the complete state and a version of its own.
 */
export function decideChange(
  before: Product | undefined,
  wanted: Product,
  { at, newId }: Stamp,
): Change | undefined {
  const variants = wanted.variants.map((variant) => ({
    ...variant,
    availability: availabilityOf(variant.onHand - variant.reserved),
  }))
  const now = { ...wanted, variants }
  const kinds = before ? differences(before, now) : [productChanged]
  const isSilent = kinds.length === 0
  if (isSilent && !isStockChanged(before, now)) return undefined
  const version = before?.version ?? 0
  const after = {
    ...now,
    updatedAt: isSilent ? now.updatedAt : at,
    version: version + kinds.length,
  }
  const messages = kinds.map((contract, index) =>
    createMessage(contract, toState(after, version + 1 + index), { id: newId(), at }),
  )
  return { before, after, messages }
}

function differences(before: Product, now: Product): MessageContract<ProductState>[] {
  // What is no longer sold has nothing more to tell.
  if (before.status === 'removed') return []
  if (now.status === 'removed') return [productRemoved]
  const kinds: MessageContract<ProductState>[] = []
  if (JSON.stringify(factsOf(before)) !== JSON.stringify(factsOf(now))) kinds.push(productChanged)
  const known = new Map(before.variants.map((variant) => [variant.id, variant]))
  const differs = (isOther: (was: Variant, is: Variant) => boolean) =>
    now.variants.some((is) => {
      const was = known.get(is.id)
      return was !== undefined && isOther(was, is)
    })
  if (differs((was, is) => was.price.amountMinor !== is.price.amountMinor)) kinds.push(priceChanged)
  if (differs((was, is) => was.availability !== is.availability)) kinds.push(availabilityChanged)
  return kinds
}

/** All that a product shows apart from prices and availability. */
function factsOf(product: Product): unknown[] {
  const { slug, title, descriptionHtml, vendor, category, tags, status, options } = product
  return [
    [slug, title, descriptionHtml, vendor, category, tags, status, options],
    product.images.map(({ url, alt }) => [url, alt]),
    product.variants.map(({ id, sku, title, optionValues, compareAtPrice }) => [
      [id, sku, title, optionValues],
      compareAtPrice?.amountMinor,
    ]),
  ]
}

function isStockChanged(before: Product | undefined, now: Product): boolean {
  const onHand = new Map(before?.variants.map((variant) => [variant.id, variant.onHand]))
  return now.variants.some((variant) => onHand.get(variant.id) !== variant.onHand)
}

function toState(product: Product, version: number): ProductState {
  const { id, slug, title, status, category, variants } = product
  return {
    productId: id,
    version,
    slug,
    title,
    status,
    category,
    variants: variants.map(({ id, sku, title, price, availability }) => ({
      variantId: id,
      sku,
      title,
      price,
      availability,
    })),
  }
}

/** @throws precondition-failed when another version was expected. */
export function checkVersion({ version }: Product, expected: number | undefined): void {
  if (expected === undefined || expected === version) return
  throw new AppError(
    'precondition-failed',
    'VERSION_MISMATCH',
    `The product was changed meanwhile: it is at version ${version}, not ${expected}.`,
    { errors: [{ pointer: '/headers/if-match', detail: `is not "${version}"` }] },
  )
}

export function productNotFound(): AppError {
  return new AppError('not-found', 'PRODUCT_NOT_FOUND', 'There is no such product.')
}

export function variantNotFound(): AppError {
  return new AppError('not-found', 'VARIANT_NOT_FOUND', 'There is no such variant.')
}

/** @throws not-found for what was removed. */
export function checkExists(product: Product): void {
  if (product.status === 'removed') throw productNotFound()
}
