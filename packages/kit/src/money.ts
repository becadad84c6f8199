import { AppError } from './errors.ts'

/** An amount in the currency's smallest unit (cents, pence, yen) and its ISO 4217 code. */
export type Money = { amountMinor: number; currency: string }

/** ISO 4217 currencies whose minor unit is not a hundredth. */
const exponents: Readonly<Record<string, number>> = {
  BIF: 0,
  CLP: 0,
  DJF: 0,
  GNF: 0,
  ISK: 0,
  JPY: 0,
  KMF: 0,
  KRW: 0,
  PYG: 0,
  RWF: 0,
  UGX: 0,
  VND: 0,
  VUV: 0,
  XAF: 0,
  XOF: 0,
  XPF: 0,
  BHD: 3,
  IQD: 3,
  JOD: 3,
  KWD: 3,
  LYD: 3,
  OMR: 3,
  TND: 3,
}

/** How many decimals the currency's amounts have. */
export function currencyExponent(currency: string): number {
  return exponents[currency] ?? 2
}

/** Adds amounts of one currency. Throws `CURRENCY_MISMATCH` when they differ. */
export function addMoney(a: Money, b: Money): Money {
  if (a.currency !== b.currency) {
    throw new AppError(
      'unprocessable',
      'CURRENCY_MISMATCH',
      `An amount in ${b.currency} cannot be added to one in ${a.currency}.`,
    )
  }
  return { amountMinor: a.amountMinor + b.amountMinor, currency: a.currency }
}

/** Multiplies an amount by a whole number of pieces. */
export function multiplyMoney(money: Money, quantity: number): Money {
  return { amountMinor: money.amountMinor * quantity, currency: money.currency }
}

/**
 * Reads a decimal such as `9.99` exactly, without floating point.
 * Returns undefined when it is not a plain decimal or has more decimals than the currency.
 */
export function parseDecimal(text: string, currency: string): Money | undefined {
  const match = /^(-?)(\d{1,12})(?:\.(\d{1,6}))?$/.exec(text.trim())
  if (!match) return undefined
  const exponent = currencyExponent(currency)
  const decimals = (match[3] ?? '').replace(/0+$/, '')
  if (decimals.length > exponent) return undefined
  const amountMinor = Number(`${match[1]}${match[2]}${decimals.padEnd(exponent, '0')}`)
  return Number.isSafeInteger(amountMinor) ? { amountMinor, currency } : undefined
}

/** Writes an amount as people read it, by locale (BCP 47). */
export function formatMoney(money: Money, locale = 'en'): string {
  return new Intl.NumberFormat(locale, { style: 'currency', currency: money.currency }).format(
    money.amountMinor / 10 ** currencyExponent(money.currency),
  )
}
