import { addMoney, type Money, multiplyMoney } from '@halles/kit/money'
import type { LineQuantity } from './order.ts'

/** Prices include tax: `taxIncluded` is the part of the total that is tax. */
export type Totals = { subtotal: Money; shipping: Money; taxIncluded: Money; total: Money }

type Place = {
  /** ISO 3166-1 alpha-2 codes; everywhere when undefined. */
  countries?: readonly string[] | undefined
  currency: string
}

/** What delivery costs somewhere; the first rule that fits is taken. */
export type ShippingRule = Place &
  (
    | { rule: 'flat'; amountMinor: number }
    | { rule: 'free-over'; amountMinor: number; freeFromMinor: number }
  )

/** Included tax by country, in basis points: 2000 is 20 %. */
export type TaxRates = Readonly<Record<string, number>>

export type PricedLine = Pick<LineQuantity, 'quantity'> & { unitPrice: Money }

/** The totals of a basket that is delivered to a country. */
export type TotalsOf = (basket: { lines: readonly PricedLine[]; country: string }) => Totals

/** One step on the way to the totals; a new rule is a new step. */
type Step = (totals: Totals, country: string) => Totals

/** Puts the shop's rules together. */
export function createTotals(rules: {
  shipping: readonly ShippingRule[]
  taxRates: TaxRates
}): TotalsOf {
  const steps: readonly Step[] = [addShipping(rules.shipping), includeTax(rules.taxRates)]
  return ({ lines, country }) => {
    const [first] = lines
    const currency = first?.unitPrice.currency ?? 'XXX'
    const nothing = { amountMinor: 0, currency }
    const subtotal = lines
      .map(({ unitPrice, quantity }) => multiplyMoney(unitPrice, quantity))
      .reduce(addMoney, nothing)
    const start = { subtotal, shipping: nothing, taxIncluded: nothing, total: subtotal }
    return steps.reduce((totals, step) => step(totals, country), start)
  }
}

function addShipping(rules: readonly ShippingRule[]): Step {
  return (totals, country) => {
    const { subtotal, total } = totals
    const rule = rules.find(
      ({ countries, currency }) =>
        currency === subtotal.currency && (countries?.includes(country) ?? true),
    )
    if (!rule) return totals
    const isFree = rule.rule === 'free-over' && subtotal.amountMinor >= rule.freeFromMinor
    const shipping = {
      amountMinor: isFree ? 0 : rule.amountMinor,
      currency: subtotal.currency,
    }
    return { ...totals, shipping, total: addMoney(total, shipping) }
  }
}

function includeTax(rates: TaxRates): Step {
  return (totals, country) => {
    const rate = rates[country] ?? 0
    const { amountMinor, currency } = totals.total
    // tax = total × rate ÷ (1 + rate), on the total, so that lines cannot add up to another tax.
    const taxIncluded = divideHalfUp(amountMinor * rate, 10_000 + rate)
    return { ...totals, taxIncluded: { amountMinor: taxIncluded, currency } }
  }
}

/** Exact for whole numbers whose double is a safe integer. */
function divideHalfUp(dividend: number, divisor: number): number {
  const doubled = 2 * dividend + divisor
  return (doubled - (doubled % (2 * divisor))) / (2 * divisor)
}

/**
 * Standard rates of value-added tax of the European Union and the United Kingdom on 1 January 2026,
 * in basis points. A shop that is registered elsewhere, or sells what has a reduced rate, sets its
 * own table.
 */
export const standardTaxRates: TaxRates = {
  AT: 2000,
  BE: 2100,
  BG: 2000,
  CY: 1900,
  CZ: 2100,
  DE: 1900,
  DK: 2500,
  EE: 2400,
  ES: 2100,
  FI: 2550,
  FR: 2000,
  GB: 2000,
  GR: 2400,
  HR: 2500,
  HU: 2700,
  IE: 2300,
  IT: 2200,
  LT: 2100,
  LU: 1700,
  LV: 2100,
  MT: 1800,
  NL: 2100,
  PL: 2300,
  PT: 2300,
  RO: 2100,
  SE: 2500,
  SI: 2200,
  SK: 2300,
}
