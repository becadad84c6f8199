import { AppError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'

/**
 * Currencies that have no minor unit, but of which Stripe counts hundredths all the same.
 * https://docs.stripe.com/currencies#special-cases
 */
const countedInHundredths: ReadonlySet<string> = new Set(['ISK', 'UGX'])
/** Stripe counts these in whole units, ISO 4217 in hundredths. */
const countedInWholes: ReadonlySet<string> = new Set(['MGA'])

/** The amount as Stripe counts it. @throws unprocessable `PROVIDER_REFUSED` when it cannot. */
export function toProviderAmount({ amountMinor, currency }: Money): number {
  if (countedInHundredths.has(currency)) return amountMinor * 100
  if (!countedInWholes.has(currency)) return amountMinor
  if (amountMinor % 100 === 0) return amountMinor / 100
  throw notCountable(currency)
}

/** Our amount of what Stripe says; the currency comes in lower case. */
export function fromProviderAmount(amount: number, providerCurrency: string): Money {
  const currency = providerCurrency.toUpperCase()
  if (countedInWholes.has(currency)) return { amountMinor: amount * 100, currency }
  if (!countedInHundredths.has(currency)) return { amountMinor: amount, currency }
  if (amount % 100 === 0) return { amountMinor: amount / 100, currency }
  throw notCountable(currency)
}

function notCountable(currency: string): AppError {
  return new AppError(
    'unprocessable',
    'PROVIDER_REFUSED',
    `The payment provider has no such amount in ${currency}.`,
  )
}
