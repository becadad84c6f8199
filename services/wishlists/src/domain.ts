import { AppError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'

/** What one answer carries; the table's own check keeps it. */
export const maxItems = 200

export type Availability = 'in_stock' | 'low_stock' | 'out_of_stock'

export type Item = {
  variantId: string
  productId: string
  title: string
  variantTitle: string
  price: Money
  priceWhenAdded: Money
  availability: Availability
  addedAt: string
}

/** The complete state of a product, as far as wishlists shows it. */
export type ReplicaProduct = {
  productId: string
  version: number
  title: string
  status: 'active' | 'draft' | 'removed'
  variants: readonly {
    variantId: string
    title: string
    price: Money
    availability: Availability
  }[]
}

export function variantNotFound(): AppError {
  return new AppError('not-found', 'VARIANT_NOT_FOUND', 'There is no such variant on sale.', {
    errors: [{ pointer: '/params/variantId', detail: 'is not a variant on sale' }],
  })
}

export function wishlistFull(): AppError {
  return new AppError('conflict', 'WISHLIST_FULL', `A wishlist holds at most ${maxItems} items.`)
}

export function wishlistBusy(): AppError {
  return new AppError('unavailable', 'WISHLIST_BUSY', 'The wishlist changes too fast; try again.', {
    retryAfterSeconds: 1,
  })
}
