import type { Address, SavedAddress } from '@halles/contracts/gen/http/customers'
import type { Language } from '../text/language.ts'
import { textOf } from './form.server.ts'
import { attempt, type Page } from './page.server.ts'

export const addressFields = ['name', 'line1', 'line2', 'postalCode', 'city', 'region'] as const
const optional = new Set<string>(['line2', 'region'])

/** What the form says, and which fields of it cannot be used. */
export function addressOf(form: FormData): { address: Address; fields: string[] } {
  const [name, line1, line2, postalCode, city, region] = addressFields.map((field) =>
    textOf(form, field),
  ) as [string, string, string, string, string, string]
  const country = textOf(form, 'country')
  const address = {
    ...{ name, line1, postalCode, city, country },
    ...(line2 === '' ? {} : { line2 }),
    ...(region === '' ? {} : { region }),
  }
  const missing = addressFields.filter(
    (field) => !optional.has(field) && textOf(form, field) === '',
  )
  return { address, fields: [...missing, ...(codes.has(country) ? [] : ['country'])] }
}

/** The addresses of who is signed in; none, and why, where they cannot be read. */
export async function readAddresses(
  page: Page,
): Promise<{ addresses: SavedAddress[]; isAway: boolean }> {
  if (!page.visit.isSignedIn) return { addresses: [], isAway: false }
  const { data } = await attempt(page.call('listAddresses', {}))
  return { addresses: data?.data.items ?? [], isAway: data === undefined }
}

// Where the demonstration delivers: Europe, and some places beyond.
const codes = new Set(
  'AT BE BG CA CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT JP LI LT LU LV MC MT NL NO PL PT RO SE SI SK US'.split(
    ' ',
  ),
)

export type Country = { code: string; name: string }

/** Countries by name. Named here alone: browsers may call one differently. */
export function countriesIn(language: Language): Country[] {
  const names = new Intl.DisplayNames([language], { type: 'region' })
  return [...codes]
    .map((code) => ({ code, name: names.of(code) ?? code }))
    .sort((a, b) => a.name.localeCompare(b.name, language))
}

/** The country that the browser's languages name, else where the shop is. */
export function likelyCountry(headers: Headers): string {
  const named = /\b[a-z]{2}-([A-Z]{2})\b/.exec(headers.get('accept-language') ?? '')?.[1]
  return named !== undefined && codes.has(named) ? named : 'FR'
}
