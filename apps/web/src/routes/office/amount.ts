type Amount = { amountMinor: number; currency: string }

// The greatest amount that the API takes.
const maxMinor = 99_999_999_999

function digitsOf(currency: string): number {
  const options = { style: 'currency', currency } as const
  return new Intl.NumberFormat('en', options).resolvedOptions().maximumFractionDigits ?? 2
}

/** What a field shows of an amount: `1290 EUR` → `12.90`. */
export function toAmountText({ amountMinor, currency }: Amount): string {
  const digits = digitsOf(currency)
  return (amountMinor / 10 ** digits).toFixed(digits)
}

/** `12.90`, `12,9` or `12` in the smallest unit; undefined when it is no amount of the currency. */
export function parseAmount(text: string, currency: string): Amount | undefined {
  const found = /^(\d{1,9})(?:[.,](\d{1,3}))?$/.exec(text.replaceAll(/[\s\u00a0\u202f]/g, ''))
  if (!found || !/^[A-Z]{3}$/.test(currency)) return undefined
  const digits = digitsOf(currency)
  const [, whole = '', part = ''] = found
  if (part.length > digits) return undefined
  const amountMinor = Number(whole) * 10 ** digits + Number(part.padEnd(digits, '0') || 0)
  return amountMinor > maxMinor ? undefined : { amountMinor, currency }
}

/** `-10`, `+2,5` percent in hundredths of a percent; undefined when it is no such number. */
export function parsePercent(text: string): number | undefined {
  const found = /^([+\-−]?)(\d{1,3})(?:[.,](\d{1,2}))?$/.exec(text.replaceAll(/[\s%]/g, ''))
  if (!found) return undefined
  const [, sign = '', whole = '', part = ''] = found
  const size = Number(whole) * 100 + Number(part.padEnd(2, '0'))
  return sign === '' || sign === '+' ? size : -size
}
