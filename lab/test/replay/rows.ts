import { toCsvLine } from '../../replay/csv.ts'
import { readInvoices } from '../../replay/invoices.ts'
import { type Limits, planReplay } from '../../replay/plan.ts'

export type Row = {
  invoice: string
  code: string
  quantity: number
  price: string
  description?: string
  customer?: string
  country?: string
  date?: string
}

const header = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
  'Country',
]

/** Invoices as the data set has them. */
export function toFile(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.invoice,
    row.code,
    row.description ?? `GOODS ${row.code}`,
    row.quantity,
    row.date ?? '01/12/2010 08:26',
    row.price,
    row.customer ?? '',
    row.country ?? 'United Kingdom',
  ])
  return [header, ...lines].map(toCsvLine).join('')
}

export function plan(rows: readonly Row[], limits?: Limits) {
  return planReplay(readInvoices(toFile(rows)), limits)
}
