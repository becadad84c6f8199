import type { RebuildOptions } from '@halles/kit/rebuilds'
import {
  acceptPut,
  type Cart,
  maxLines,
  mergeCarts,
  openCart,
  type ReplicaProduct,
} from './domain.ts'
import type { Deps, LineCommand, Purchase, PutLine, Rebuild } from './ports.ts'

// Long enough for a shopper who comes back after a holiday.
const guestCartDays = 30
// A batch that deletes in well under the statement time-out.
const removalBatch = 500

type Viewer = { cartId: string; customerId: string | null }

/** The customer's current cart, or a new one for a guest. */
export async function createCart(
  deps: Pick<Deps, 'carts' | 'clock' | 'newId'>,
  customerId: string | null,
): Promise<Cart> {
  if (customerId !== null) return getCurrentCart(deps, customerId)
  return deps.carts.createGuestCart(deps.newId(), deps.clock())
}

export async function getCurrentCart(
  { carts, clock, newId }: Pick<Deps, 'carts' | 'clock' | 'newId'>,
  customerId: string,
): Promise<Cart> {
  const current = await carts.readCurrent(customerId)
  return current ?? carts.createCurrent(newId(), customerId, clock())
}

export async function getCart(
  { carts }: Pick<Deps, 'carts'>,
  { cartId, customerId }: Viewer,
): Promise<Cart> {
  return openCart(await carts.read(cartId), customerId)
}

export async function putLine(
  { carts, changes, clock }: Pick<Deps, 'carts' | 'changes' | 'clock'>,
  put: PutLine,
): Promise<Cart> {
  const outcome = await carts.putLine(put, { maxLines, at: clock() })
  const cart = acceptPut(outcome)
  if (outcome.isChanged) changes.announce(cart.id)
  return cart
}

export async function removeLine(
  { carts, changes, clock }: Pick<Deps, 'carts' | 'changes' | 'clock'>,
  line: LineCommand,
): Promise<Cart> {
  const { cart, isChanged } = await carts.removeLine(line, clock())
  if (isChanged) changes.announce(cart.id)
  return cart
}

/** Merges a guest's cart into the customer's; claiming it again answers the same. */
export async function claimCart(
  { carts, changes, clock, newId }: Pick<Deps, 'carts' | 'changes' | 'clock' | 'newId'>,
  { cartId, customerId }: { cartId: string; customerId: string },
): Promise<Cart> {
  const claim = { cartId, customerId, newCartId: newId(), at: clock() }
  const cart = await carts.claim(claim, mergeCarts)
  changes.announce(cartId)
  changes.announce(cart.id)
  return cart
}

/** The cart now and after each change. Throws before the first event when it may not be opened. */
export async function watchCart(
  { carts, feed }: Pick<Deps, 'carts' | 'feed'>,
  { cartId, customerId, signal }: Viewer & { signal: AbortSignal },
): Promise<AsyncIterable<Cart>> {
  const cart = await getCart({ carts }, { cartId, customerId })
  feed.requireRoom()
  return feed.follow(cart, customerId, signal)
}

export async function removeBoughtLines(
  { carts, changes, clock }: Pick<Deps, 'carts' | 'changes' | 'clock'>,
  purchase: Purchase,
): Promise<void> {
  const changed = await carts.removeBought(purchase, clock())
  if (changed !== undefined) changes.announce(changed)
}

export async function applyProduct(
  { replica, changes }: Pick<Deps, 'replica' | 'changes'>,
  product: ReplicaProduct,
): Promise<void> {
  if ((await replica.apply(product)) > 0) changes.announce(product.productId)
}

/**
 * Builds the replica anew from the topic, while it stays readable and follows what is new. Reads
 * the topic twice, so that no earlier state of a product is shown on the way to its newest.
 */
export async function rebuildReplica(
  { replica, productFeed, changes }: Pick<Deps, 'replica' | 'productFeed' | 'changes'>,
  { signal, onProgress = () => undefined }: RebuildOptions = {},
): Promise<Rebuild> {
  const newest = new Map<string, number>()
  let [read, applied] = [0, 0]
  await replica.markIncomplete()
  const messages = await productFeed.replay(async ({ productId, version }) => {
    newest.set(productId, Math.max(version, newest.get(productId) ?? 0))
    read += 1
    onProgress({ pass: 1, messages: read })
  }, signal)
  // In this order: a state that is replayed before its version is forgotten would be skipped.
  await replica.forgetVersions()
  await productFeed.replay(async (product) => {
    if (product.version === newest.get(product.productId)) {
      await applyProduct({ replica, changes }, product)
    }
    applied += 1
    onProgress({ pass: 2, messages: applied })
  }, signal)
  await replica.removeForgotten()
  return { messages, products: newest.size }
}

/** Removes a batch of guest carts that nobody touched for long; true when there may be more. */
export async function removeAbandonedCarts({
  carts,
  clock,
}: Pick<Deps, 'carts' | 'clock'>): Promise<boolean> {
  const untouchedSince = new Date(clock().getTime() - guestCartDays * 86_400_000)
  return (await carts.removeGuestCarts(untouchedSince, removalBatch)) === removalBatch
}
