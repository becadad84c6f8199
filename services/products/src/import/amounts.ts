import { type Money, parseDecimal } from '@halles/kit/money'
import { importLimits } from './imported-product.ts'
import type { Fault } from './rejections.ts'

/** Reads a price exactly. Only a plain positive decimal in the currency's precision is one. */
export function parsePrice(text: string, currency: string, field: string): Money | Fault {
  if (text === '') return { code: 'PRICE_MISSING', reason: 'The price is missing.', field }
  const money = parseDecimal(text, currency)
  if (!money) {
    return /^-?\d{1,12}\.\d+$/.test(text)
      ? {
          code: 'PRICE_TOO_MANY_DECIMALS',
          reason: `The price has more decimals than ${currency} has.`,
          field,
        }
      : { code: 'PRICE_MALFORMED', reason: 'The price is not a decimal such as 9.99.', field }
  }
  if (money.amountMinor < 0) {
    return { code: 'PRICE_NEGATIVE', reason: 'The price is negative.', field }
  }
  if (money.amountMinor === 0) return { code: 'PRICE_ZERO', reason: 'The price is zero.', field }
  if (money.amountMinor > importLimits.priceMinor) {
    return { code: 'PRICE_TOO_HIGH', reason: 'The price is beyond 999,999.99.', field }
  }
  return money
}
