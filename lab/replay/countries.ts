const names = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' })
const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']
const codes = new Map(
  letters
    .flatMap((first) => letters.map((second) => first + second))
    .flatMap((code) => {
      const name = names.of(code)
      return name === undefined ? [] : [[name, code] as const]
    }),
)

/** Names of the file that are not those of CLDR. */
const others: Readonly<Record<string, string>> = {
  'United Kingdom': 'GB',
  EIRE: 'IE',
  'Channel Islands': 'JE',
  RSA: 'ZA',
  USA: 'US',
  'Hong Kong': 'HK',
  'Czech Republic': 'CZ',
}

/** ISO 3166-1 alpha-2; the retailer's own country when the file's name is none. */
export function countryCode(name: string): string {
  return others[name] ?? codes.get(name) ?? 'GB'
}
