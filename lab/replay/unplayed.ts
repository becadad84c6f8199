import type { Invoice, InvoiceLine } from './invoices.ts'

/** Pieces and pence keep the sign that they have in the file. */
export type UnplayedPart = { invoice: string; pieces: number; amountMinor: number }
export type UnplayedSum = { reason: string; parts: number; pieces: number; amountMinor: number }

/** What of the file is not played: every row, or part of one, with its reason. */
export type Unplayed = {
  add(reason: string, part: UnplayedPart): void
  addRow(reason: string, invoice: Invoice, row: InvoiceLine): void
  /** The largest amounts first. */
  sums(): UnplayedSum[]
  amountMinor(): number
}

export function createUnplayed(): Unplayed {
  const sums = new Map<string, UnplayedSum>()
  function add(reason: string, { pieces, amountMinor }: UnplayedPart): void {
    const known = sums.get(reason) ?? { reason, parts: 0, pieces: 0, amountMinor: 0 }
    known.parts += 1
    known.pieces += pieces
    known.amountMinor += amountMinor
    sums.set(reason, known)
  }
  const all = () => [...sums.values()]
  return {
    add,
    addRow(reason, { number }, { quantity, unitMinor }) {
      add(reason, { invoice: number, pieces: quantity, amountMinor: quantity * unitMinor })
    },
    sums: () => all().sort((a, b) => Math.abs(b.amountMinor) - Math.abs(a.amountMinor)),
    amountMinor: () => all().reduce((total, each) => total + each.amountMinor, 0),
  }
}
