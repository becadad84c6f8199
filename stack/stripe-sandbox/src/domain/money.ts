const formats = new Map<string, Intl.NumberFormat>()

/** An amount in minor units as people write it. */
export function formatMoney(amountMinor: number, currency: string): string {
  const known = formats.get(currency)
  const format = known ?? new Intl.NumberFormat('en-US', { style: 'currency', currency })
  if (known === undefined) formats.set(currency, format)
  return format.format(amountMinor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2))
}
