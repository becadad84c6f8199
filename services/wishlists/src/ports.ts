import type { Item, ReplicaProduct } from './domain.ts'

export type ItemCommand = { customerId: string; variantId: string }

export type WishlistStore = {
  /** Newest first. */
  read(customerId: string): Promise<Item[]>
  /**
   * Adds the variant unless it is there, and returns the item; undefined when it is not there and
   * not on sale. Throws `WISHLIST_FULL`.
   */
  put(item: ItemCommand, at: Date): Promise<Item | undefined>
  remove(item: ItemCommand): Promise<void>
}

export type ReplicaStore = {
  /** Applies the state if it is newer than the known one; returns how many variants changed. */
  apply(product: ReplicaProduct): Promise<number>
  /** Lets every product be applied again, whatever its version; the rows stay readable. */
  forgetVersions(): Promise<void>
}

/** Starts reading the products' topic again from its beginning. */
export type ProductFeed = { restart(): Promise<void> }

export type Deps = {
  wishlists: WishlistStore
  replica: ReplicaStore
  productFeed: ProductFeed
  clock: () => Date
}
