import type { RebuildableReplica } from '@halles/kit/rebuilds'
import type { Cart, LineChange, PutOutcome, ReplicaProduct } from './domain.ts'

export type LineCommand = {
  cartId: string
  /** Null for a guest. */
  customerId: string | null
  variantId: string
}
export type PutLine = LineCommand & { quantity: number }
export type BoughtLine = { variantId: string; quantity: number }
/** An order that was paid, by the message that told of it. */
export type Purchase = { messageId: string; cartId: string; lines: readonly BoughtLine[] }

export type CartStore = {
  /** Also a cart that somebody else owns; undefined when there is none or it was claimed. */
  read(cartId: string): Promise<Cart | undefined>
  readMany(cartIds: readonly string[]): Promise<Cart[]>
  readCurrent(customerId: string): Promise<Cart | undefined>
  createGuestCart(cartId: string, at: Date): Promise<Cart>
  /** Creates the customer's cart under this id unless there is one, and returns the one there is. */
  createCurrent(cartId: string, customerId: string, at: Date): Promise<Cart>
  /**
   * Sets the quantity of a line in one statement, within `maxLines` and one currency. The outcome
   * says what stood against it. Throws `CART_NOT_FOUND`.
   */
  putLine(put: PutLine, limits: { maxLines: number; at: Date }): Promise<PutOutcome>
  removeLine(line: LineCommand, at: Date): Promise<{ cart: Cart; isChanged: boolean }>
  /**
   * Locks both carts, decides, writes the lines and leaves a trace of the guest's cart, so that
   * claiming it again finds the same cart. Throws `CART_NOT_FOUND`, and what `merge` throws.
   */
  claim(
    claim: { cartId: string; customerId: string; newCartId: string; at: Date },
    merge: (own: Cart, guest: Cart) => readonly LineChange[],
  ): Promise<Cart>
  /** Takes bought quantities out of the cart, once per message; returns the cart that changed. */
  removeBought(purchase: Purchase, at: Date): Promise<string | undefined>
  /** Deletes up to `limit` guest carts that were not touched since; returns how many. */
  removeGuestCarts(untouchedSince: Date, limit: number): Promise<number>
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

/** Tells every process of carts, soon and without waiting, that a cart or a product changed. */
export type Changes = { announce(id: string): void }

/** What a rebuild went through. */
export type Rebuild = { messages: number; products: number }

export type ProductFeed = {
  /** Applies every state that the products' topic holds now, oldest first; returns their number. */
  replay(
    apply: (product: ReplicaProduct) => Promise<void>,
    signal: AbortSignal | undefined,
  ): Promise<number>
}

export type CartFeed = {
  /** Throws unavailable `TOO_MANY_STREAMS` when this process serves as many as it may. */
  requireRoom(): void
  /** The cart, then the cart after each change, until it is closed to the viewer. */
  follow(cart: Cart, customerId: string | null, signal: AbortSignal): AsyncIterable<Cart>
}

export type Deps = {
  carts: CartStore
  replica: ReplicaStore
  changes: Changes
  productFeed: ProductFeed
  feed: CartFeed
  clock: () => Date
  newId: () => string
}
