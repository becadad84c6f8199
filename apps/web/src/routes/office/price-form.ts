import { parseAmount, parsePercent } from './amount.ts'

/** A change of prices as it was typed; it goes from the preview to the change unaltered. */
export type PriceForm = {
  /** Separated by commas; empty where a search says which. */
  variantIds: string
  q: string
  category: string
  kind: string
  size: string
  rounding: string
  currency: string
}

// The API changes no more together.
const maxVariants = 1_000

export function readPriceForm(form: FormData): PriceForm {
  const text = (name: string) => {
    const value = form.get(name)
    return typeof value === 'string' ? value.trim().slice(0, 100) : ''
  }
  return {
    variantIds: form
      .getAll('variantIds')
      .filter((value) => value !== '')
      .join(','),
    q: text('q'),
    category: text('category'),
    kind: text('kind') || 'percent',
    size: text('size'),
    rounding: text('rounding') || 'none',
    currency: (text('currency') || 'EUR').toUpperCase(),
  }
}

/** What the API is asked; the code of the reason where the form does not say enough. */
export function toPriceChange({ kind, size, rounding, currency, ...which }: PriceForm) {
  const selection = selectionOf(which)
  if (typeof selection === 'string') return selection
  const change = kind === 'amount' ? amountOf(size, currency) : percentOf(size)
  if (!change) return 'NO_NUMBER'
  const ending: '99' | '95' | 'none' = rounding === '99' || rounding === '95' ? rounding : 'none'
  return { selection, change, rounding: ending, currency }
}

function selectionOf({
  variantIds,
  q,
  category,
}: Pick<PriceForm, 'variantIds' | 'q' | 'category'>) {
  if (variantIds !== '') {
    const ids = [...new Set(variantIds.split(','))]
    return ids.length > maxVariants ? 'TOO_MANY_VARIANTS' : { variantIds: ids }
  }
  if (q === '' && category === '') return 'NOTHING_CHOSEN'
  return { ...(q !== '' && { q }), ...(category !== '' && { category }) }
}

function percentOf(size: string): { basisPoints: number } | undefined {
  const basisPoints = parsePercent(size)
  return basisPoints === undefined ? undefined : { basisPoints }
}

function amountOf(size: string, currency: string): { amountMinor: number } | undefined {
  const amount = parseAmount(size.replace(/^[+\-−]/, ''), currency)
  if (!amount) return undefined
  return { amountMinor: /^[-−]/.test(size) ? -amount.amountMinor : amount.amountMinor }
}
