import type { RebuildOptions } from '@halles/kit/rebuilds'
import { type Item, type ReplicaProduct, variantNotFound } from './domain.ts'
import type { Deps, ItemCommand, Rebuild } from './ports.ts'

export function getWishlist(
  { wishlists }: Pick<Deps, 'wishlists'>,
  customerId: string,
): Promise<Item[]> {
  return wishlists.read(customerId)
}

/** Adds a variant; one that is there already stays as it was added. */
export async function putItem(
  { wishlists, clock }: Pick<Deps, 'wishlists' | 'clock'>,
  command: ItemCommand,
): Promise<Item> {
  const item = await wishlists.put(command, clock())
  if (!item) throw variantNotFound()
  return item
}

export async function removeItem(
  { wishlists }: Pick<Deps, 'wishlists'>,
  command: ItemCommand,
): Promise<void> {
  await wishlists.remove(command)
}

export async function applyProduct(
  { replica }: Pick<Deps, 'replica'>,
  product: ReplicaProduct,
): Promise<void> {
  await replica.apply(product)
}

/**
 * Builds the replica anew from the topic, while it stays readable and follows what is new. Reads
 * the topic twice, so that no earlier state of a product is shown on the way to its newest.
 */
export async function rebuildReplica(
  { replica, productFeed }: Pick<Deps, 'replica' | 'productFeed'>,
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
      await replica.apply(product)
    }
    applied += 1
    onProgress({ pass: 2, messages: applied })
  }, signal)
  await replica.removeForgotten()
  return { messages, products: newest.size }
}
