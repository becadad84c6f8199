import { AppError } from '@halles/kit/errors'
import { type Identity, type Known, planImport } from '../domain/import.ts'
import type { ImportedProduct } from '../import/imported-product.ts'
import type { ClaimedImport, Deps, NewImport } from '../ports.ts'

type Importing = Pick<Deps, 'imports' | 'parse' | 'clock' | 'newId'>

// Small enough for its locks to pass unnoticed by shoppers, large enough to share the statements.
const batchSize = 50

export async function startImport(
  { imports, clock, newId }: Importing,
  wanted: Omit<NewImport, 'id' | 'createdAt'>,
) {
  return imports.add({ ...wanted, id: newId(), createdAt: clock() })
}

export async function getImport({ imports }: Pick<Deps, 'imports'>, importId: string) {
  const found = await imports.find(importId)
  if (!found) throw new AppError('not-found', 'IMPORT_NOT_FOUND', 'There is no such import.')
  return found
}

/**
 * Takes an import that nobody works on and brings it to its end; false when there is none. A
 * worker that dies is followed by another one, which reads the file again and goes on behind the
 * last batch. `isStopping` lets a worker go between two batches.
 */
export async function runNextImport(deps: Importing, isStopping: () => boolean): Promise<boolean> {
  const { imports, newId } = deps
  const claimed = await imports.claim(newId())
  if (!claimed) return false
  try {
    await runImport(deps, claimed, isStopping)
  } catch (error) {
    const kind = error instanceof AppError ? error.kind : 'internal'
    // An outage passes: whoever claims the import after the lease goes on with it.
    if (kind === 'unavailable' || kind === 'timeout') throw error
    const isTheirs = error instanceof AppError && kind !== 'internal'
    await imports.finish(claimed, isTheirs ? error.message : 'Something went wrong on our side.')
    if (isTheirs) return true
    throw error
  }
  if (isStopping()) await imports.giveBack(claimed)
  else await imports.finish(claimed, undefined)
  return true
}

async function runImport(
  { imports, parse, ...deps }: Importing,
  claimed: ClaimedImport,
  isStopping: () => boolean,
): Promise<void> {
  const { currency, quantity } = claimed
  const parsed = await parse(claimed.content, { currency, stock: quantity })
  if (!claimed.isRead) await imports.recordParsed(claimed, parsed)
  const identity = parsed.format === 'online-retail' ? 'sku' : 'slug'
  for (let at = claimed.done; at < parsed.products.length; at += batchSize) {
    if (isStopping()) return
    const products = parsed.products.slice(at, at + batchSize)
    await imports.applyBatch(claimed, { products, plan: planWith(deps, identity) })
  }
}

/** Fills an empty catalogue; false when it is not empty. */
export async function seedCatalogue(
  deps: Importing,
  products: readonly ImportedProduct[],
): Promise<boolean> {
  return deps.imports.seed({ products, plan: planWith(deps, 'slug') })
}

function planWith({ clock, newId }: Pick<Deps, 'clock' | 'newId'>, identity: Identity) {
  const stamp = { at: clock(), newId }
  return (product: ImportedProduct, known: Known) => planImport(product, { identity, known, stamp })
}
