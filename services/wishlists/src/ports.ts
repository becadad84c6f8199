import type { RebuildableReplica } from '@halles/kit/rebuilds'
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

export type ReplicaStore = RebuildableReplica & {
  /** Applies the state if it is newer than the known one; returns how many variants changed. */
  apply(product: ReplicaProduct): Promise<number>
  /** Lets every product be applied again, whatever its version; the rows stay readable. */
  forgetVersions(): Promise<void>
  /** Takes off sale what nobody applied again since {@link ReplicaStore.forgetVersions}; then it is whole. */
  removeForgotten(): Promise<void>
  /** Remembers that a rebuild has begun, until {@link ReplicaStore.removeForgotten} ends it. */
  markIncomplete(): Promise<void>
}

/** What a rebuild went through. */
export type Rebuild = { messages: number; products: number }

export type ProductFeed = {
  /** Applies every state that the products' topic holds now, oldest first; returns their number. */
  replay(
    apply: (product: ReplicaProduct) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<number>
}

export type Deps = {
  wishlists: WishlistStore
  replica: ReplicaStore
  productFeed: ProductFeed
  clock: () => Date
}
