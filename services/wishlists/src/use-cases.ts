import { type Item, type ReplicaProduct, variantNotFound } from './domain.ts'
import type { Deps, ItemCommand } from './ports.ts'

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
 * Builds the replica anew from the topic, while it stays readable. A product may show an earlier
 * state for the moments in which its history passes by.
 */
export async function rebuildReplica({
  replica,
  productFeed,
}: Pick<Deps, 'replica' | 'productFeed'>): Promise<void> {
  // In this order: a state that is replayed before its version is forgotten would be skipped.
  await replica.forgetVersions()
  await productFeed.restart()
}
