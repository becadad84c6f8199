import type { Money } from '@halles/contracts/gen/http/products'
import type { Language } from './language.ts'

// A formatter takes a hundred times longer to make than to use.
const formatters = new Map<string, Intl.NumberFormat>()
const locales: Record<Language, string> = { en: 'en-IE', fr: 'fr-FR' }

/** `1290 EUR` → `€12.90` or `12,90 €`. */
export function formatMoney({ amountMinor, currency }: Money, language: Language): string {
  const key = `${language} ${currency}`
  let formatter = formatters.get(key)
  if (!formatter) {
    formatter = new Intl.NumberFormat(locales[language], { style: 'currency', currency })
    formatters.set(key, formatter)
  }
  const digits = formatter.resolvedOptions().maximumFractionDigits ?? 2
  return formatter.format(amountMinor / 10 ** digits)
}

/** A day in words. In UTC, so that server and browser write the same. */
export function formatDate(iso: string, language: Language): string {
  return new Intl.DateTimeFormat(locales[language], { dateStyle: 'long', timeZone: 'UTC' }).format(
    new Date(iso),
  )
}

/** Day and time, in UTC; wrap it in <time>, which the office may show in local time later. */
export function formatMoment(iso: string, language: Language): string {
  const options = { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' } as const
  return new Intl.DateTimeFormat(locales[language], options).format(new Date(iso))
}
