import { parseAmount } from './amount.ts'

/** The places of a product's options; the API takes no more. */
export const optionPlaces = [0, 1, 2] as const

export type VariantEdit = {
  id?: string
  sku: string
  optionValues: string[]
  price: { amountMinor: number; currency: string }
  compareAtPrice: { amountMinor: number; currency: string } | null
  quantity?: number
}

type Read = { options: string[]; variants: VariantEdit[] } | { fault: string }

/** The variants of a form: rows by index; one whose SKU is empty, or that is marked, is left out. */
export function readVariants(form: FormData): Read {
  const all = (name: string) => form.getAll(name).map((value) => String(value).trim())
  const columns = optionPlaces.map((place) => all(`option-${place}`))
  const names = all('options')
  const used = optionPlaces.filter((place) => (names[place] ?? '') !== '')
  const removed = new Set(all('remove'))
  const [ids, prices, former, pieces] = [all('id'), all('price'), all('compareAt'), all('quantity')]
  const currency = all('currency')[0] ?? ''
  const variants: VariantEdit[] = []
  for (const [index, sku] of all('sku').entries()) {
    const id = ids[index] ?? ''
    if (sku === '' || (id !== '' && removed.has(id))) continue
    const price = parseAmount(prices[index] ?? '', currency)
    const compared = former[index] ?? ''
    const compareAtPrice = compared === '' ? null : parseAmount(compared, currency)
    if (!price || compareAtPrice === undefined) return { fault: 'NO_AMOUNT' }
    const quantity = /^\d{1,7}$/.test(pieces[index] ?? '') ? Number(pieces[index]) : 0
    variants.push({
      ...(id === '' ? { quantity } : { id }),
      ...{ sku, price, compareAtPrice },
      optionValues: used.map((place) => columns[place]?.[index] ?? ''),
    })
  }
  if (variants.length === 0) return { fault: 'NO_VARIANTS' }
  return { options: used.map((place) => names[place] ?? ''), variants }
}
