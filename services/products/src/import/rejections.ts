export type RejectionCode =
  | 'MALFORMED_CSV'
  | 'COLUMN_COUNT'
  | 'HANDLE_MISSING'
  | 'TITLE_MISSING'
  | 'TOO_LONG'
  | 'TOO_MANY'
  | 'GIFT_CARD'
  | 'ROW_EMPTY'
  | 'OPTION_MISMATCH'
  | 'PRICE_MISSING'
  | 'PRICE_MALFORMED'
  | 'PRICE_TOO_MANY_DECIMALS'
  | 'PRICE_NEGATIVE'
  | 'PRICE_ZERO'
  | 'PRICE_TOO_HIGH'
  | 'QUANTITY_MALFORMED'
  | 'QUANTITY_NEGATIVE'
  | 'WEIGHT_MALFORMED'
  | 'IMAGE_URL_MALFORMED'
  | 'NO_VALID_VARIANT'
  | 'DUPLICATE_OPTION_VALUES'
  | 'DUPLICATE_SKU'
  | 'DUPLICATE_SLUG'
  | 'NOT_GOODS'
  | 'DESCRIPTION_MISSING'

/** What is wrong, in a sentence for the person who has the file open, and in which column. */
export type Fault = { code: RejectionCode; reason: string; field?: string }

/**
 * A fault and where it is: the physical line on which its row begins. `rows` says how many rows
 * are lost by it: 0 when only the named field was dropped, or when a product fails because each
 * of its rows was already rejected.
 */
export type Rejection = Fault & { line: number; rows: number }

export type Rejections = {
  add(line: number, fault: Fault, rows?: number): void
  /** The first rejections, by line; the counts are complete however many there were. */
  list(): Rejection[]
  rows(): number
  rowsByCode(): Partial<Record<RejectionCode, number>>
}

/** Nobody reads more than this; the counts by code stay exact beyond it. */
const detailLimit = 1_000

export function createRejections(limit = detailLimit): Rejections {
  const details: Rejection[] = []
  const counts = new Map<RejectionCode, number>()
  let total = 0
  return {
    add(line, fault, rows = 1) {
      total += rows
      counts.set(fault.code, (counts.get(fault.code) ?? 0) + rows)
      if (details.length < limit) details.push({ line, ...fault, rows })
    },
    list: () => details.toSorted((a, b) => a.line - b.line),
    rows: () => total,
    rowsByCode: () => Object.fromEntries(counts),
  }
}

export function isFault(value: object): value is Fault {
  return 'code' in value && 'reason' in value
}
