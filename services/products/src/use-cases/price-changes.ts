import { createHash } from 'node:crypto'
import { priceVariant } from '../domain/edit.ts'
import {
  fingerprintRequired,
  maxPriceLines,
  type Priced,
  type PriceLine,
  type PriceRule,
  pricedVariants,
  priceLines,
  pricesDiffer,
  tooManyLines,
} from '../domain/price-change.ts'
import { type Change, decideChange, type Product, type Stamp } from '../domain/product.ts'
import { categoryKey, searchWords } from '../domain/search.ts'
import type { Deps } from '../ports.ts'

export type ChangePrices = {
  selection: { variantIds?: string[]; q?: string; category?: string }
  rule: PriceRule
  /** What was agreed to; undefined asks what would become of the prices. */
  agreed: { fingerprint: string | undefined } | undefined
  by: string
}

export type PriceChange = {
  isApplied: boolean
  fingerprint: string
  lines: PriceLine[]
  unchanged: number
}

type Pricing = Pick<Deps, 'staffCatalogue' | 'products' | 'clock' | 'newId'>

/**
 * Changes many prices, all or none, each as `setPrice` does: with its history, its event, a version
 * of its product. Applied only when the lines are, under lock, what the preview has shown.
 */
export async function changePrices(deps: Pricing, command: ChangePrices): Promise<PriceChange> {
  const { selection, rule, agreed, by } = command
  const selected = await select(deps, selection)
  const lines = priceLines(selected, rule)
  const asked = new Set(selection.variantIds).size || selected.length
  const result = {
    isApplied: agreed !== undefined,
    fingerprint: fingerprintOf(lines),
    lines,
    unchanged: asked - lines.length,
  }
  if (!agreed) return result
  if (agreed.fingerprint === undefined) throw fingerprintRequired()
  if (agreed.fingerprint !== result.fingerprint) throw pricesDiffer()
  const ids = new Set(lines.map(({ variantId }) => variantId))
  const productIds = [...new Set(lines.map(({ productId }) => productId))]
  const stamp = { at: deps.clock(), newId: deps.newId }
  await deps.products.changeAll(productIds, { by }, (products) => {
    const now = priceLines(pricedVariants(products, ids), rule)
    if (fingerprintOf(now) !== result.fingerprint) throw pricesDiffer()
    return applyLines(products, now, stamp)
  })
  return result
}

async function select(
  { staffCatalogue }: Pricing,
  { variantIds, q, category }: ChangePrices['selection'],
): Promise<Priced[]> {
  const selected = await staffCatalogue.selectPriced(
    {
      variantIds: variantIds?.map((id) => id.toLowerCase()),
      words: q === undefined ? [] : searchWords(q),
      categoryKey: category === undefined ? undefined : categoryKey(category),
    },
    maxPriceLines + 1,
  )
  if (selected.length > maxPriceLines) throw tooManyLines()
  return selected
}

function applyLines(
  products: readonly Product[],
  lines: readonly PriceLine[],
  stamp: Stamp,
): Change[] {
  const byProduct = Map.groupBy(lines, ({ productId }) => productId)
  return products.flatMap((product) => {
    const wanted = (byProduct.get(product.id) ?? []).reduce(
      (priced, { variantId, to }) => priceVariant(priced, variantId, to),
      product,
    )
    return decideChange(product, wanted, stamp) ?? []
  })
}

function fingerprintOf(lines: readonly PriceLine[]): string {
  const facts = lines
    .map(({ variantId, from, to }) =>
      [variantId, from.amountMinor, to.amountMinor, to.currency].join(' '),
    )
    .sort()
  return createHash('sha256').update(facts.join('\n')).digest('base64url')
}
