import { AppError } from '@halles/kit/errors'
import { currencyExponent, type Money } from '@halles/kit/money'
import type { Product } from './product.ts'

export type Rounding = 'none' | '99' | '95'

/** How prices change: by a part of themselves in hundredths of a percent, or by an amount. */
export type PriceRule = {
  change: { basisPoints: number } | { amountMinor: number }
  rounding: Rounding
  /** Prices in others stay. */
  currency: string
}

/** A variant as it is selected. */
export type Priced = {
  variantId: string
  productId: string
  sku: string
  title: string
  variantTitle: string
  price: Money
}

export type PriceLine = Omit<Priced, 'price'> & { from: Money; to: Money }

/** More would hold too many products for too long: each is locked until all are saved. */
export const maxPriceLines = 1_000
const maxAmountMinor = 99_999_999_999

/** What becomes of the prices; those that stay are left out. */
export function priceLines(selected: readonly Priced[], rule: PriceRule): PriceLine[] {
  if (rule.rounding !== 'none' && currencyExponent(rule.currency) !== 2) {
    throw new AppError(
      'unprocessable',
      'ROUNDING_NOT_POSSIBLE',
      `Prices in ${rule.currency} have no cents to round to.`,
      { errors: [{ pointer: '/body/rounding', detail: 'needs a currency with cents' }] },
    )
  }
  return selected.flatMap(({ price: from, ...variant }) => {
    if (from.currency !== rule.currency) return []
    const to = { amountMinor: newAmount(from.amountMinor, rule), currency: from.currency }
    checkAmount(to, variant)
    return to.amountMinor === from.amountMinor ? [] : [{ ...variant, from, to }]
  })
}

function newAmount(from: number, { change, rounding }: PriceRule): number {
  const exact =
    'amountMinor' in change ? from + change.amountMinor : partOf(from, 10_000 + change.basisPoints)
  if (rounding === 'none') return exact
  const ending = Number(rounding)
  const below = Math.floor((exact - ending) / 100) * 100 + ending
  // Nothing is given away because its price was rounded.
  if (below <= 0) return ending
  return exact - below <= 50 ? below : below + 100
}

/** Half up, without floating point: the product is beyond 2^53 for large amounts. */
function partOf(amount: number, tenThousandths: number): number {
  return Number((BigInt(amount) * BigInt(tenThousandths) + 5_000n) / 10_000n)
}

function checkAmount({ amountMinor }: Money, { sku }: { sku: string }): void {
  if (amountMinor >= 1 && amountMinor <= maxAmountMinor) return
  const what = amountMinor < 1 ? 'nothing or less' : 'more than a price can be'
  throw new AppError(
    'unprocessable',
    'PRICE_OUT_OF_RANGE',
    `The price of ${sku} would be ${what}.`,
    {
      errors: [{ pointer: '/body/change', detail: `makes the price of ${sku} ${what}` }],
    },
  )
}

/** The variants of products as they are selected. */
export function pricedVariants(products: readonly Product[], ids: ReadonlySet<string>): Priced[] {
  return products.flatMap((product) =>
    product.status === 'removed'
      ? []
      : product.variants
          .filter(({ id }) => ids.has(id))
          .map(({ id: variantId, sku, title: variantTitle, price }) => {
            const { id: productId, title } = product
            return { variantId, productId, sku, title, variantTitle, price }
          }),
  )
}

export function tooManyLines(): AppError {
  return new AppError(
    'unprocessable',
    'TOO_MANY_VARIANTS',
    `At most ${maxPriceLines} prices change together; select fewer.`,
    { errors: [{ pointer: '/body/selection', detail: `has more than ${maxPriceLines} variants` }] },
  )
}

export function pricesDiffer(): AppError {
  return new AppError(
    'conflict',
    'PRICES_CHANGED',
    'This is not what the preview has shown: prices or products changed meanwhile. Look again.',
    { errors: [{ pointer: '/body/fingerprint', detail: 'is of other lines' }] },
  )
}

export function fingerprintRequired(): AppError {
  return new AppError('invalid', 'INVALID_REQUEST', 'The request has fields that cannot be used.', {
    errors: [{ pointer: '/body/fingerprint', detail: 'is missing: ask for a dry run before' }],
  })
}
