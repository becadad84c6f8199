import { parseDecimal } from '@halles/kit/money'
import { parseCsv } from './csv.ts'

/** A row of the file. `unitMinor` is the unit price in pence. */
export type InvoiceLine = {
  line: number
  code: string
  description: string
  quantity: number
  unitMinor: number
}

export type Invoice = {
  number: string
  isCancellation: boolean
  atMs: number
  /** Null when the file names none. */
  customer: string | null
  country: string
  lines: InvoiceLine[]
}

export type InvoiceFile = {
  invoices: Invoice[]
  rows: number
  /** Rows that say neither how many pieces nor what they cost: nothing can be counted of them. */
  unreadable: { line: number; invoice: string; why: string }[]
}

/** The data set's prices are in pounds. */
export const currency = 'GBP'

const columns = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
  'Country',
]

/**
 * Reads the rows of an "Online Retail" file into invoices, in the order in which these begin.
 * @throws Error when it is no such file.
 */
export function readInvoices(text: string, limit = Number.POSITIVE_INFINITY): InvoiceFile {
  const [header, ...records] = parseCsv(text.replace(/^\uFEFF/, ''))
  const places = columns.map((name) => header?.fields.indexOf(name) ?? -1)
  const missing = columns.filter((_name, index) => places[index] === -1)
  if (missing.length > 0) throw new Error(`The file has no column ${missing.join(', ')}.`)
  const invoices = new Map<string, Invoice>()
  const file: InvoiceFile = { invoices: [], rows: 0, unreadable: [] }
  for (const { line, fields } of records) {
    const cells = places.map((place) => (fields[place] ?? '').trim())
    const [number = '', code = '', description = '', quantity = '', date = '', price = ''] = cells
    if (!invoices.has(number) && invoices.size >= limit) continue
    file.rows += 1
    const atMs = parseDate(date)
    const unit = parseDecimal(price, currency)
    const why = faultOf({
      number,
      quantity,
      isDated: atMs !== undefined,
      isPriced: unit !== undefined,
    })
    if (why !== undefined || atMs === undefined || unit === undefined) {
      file.unreadable.push({ line, invoice: number, why: why ?? '' })
      continue
    }
    const [customer = '', country = ''] = cells.slice(6)
    const invoice = invoices.get(number) ?? {
      number,
      isCancellation: /^c/i.test(number),
      atMs,
      customer: customer === '' ? null : customer,
      country,
      lines: [],
    }
    invoices.set(number, invoice)
    const facts = { line, code: code.toUpperCase(), description }
    invoice.lines.push({ ...facts, quantity: Number(quantity), unitMinor: unit.amountMinor })
  }
  file.invoices = [...invoices.values()]
  return file
}

type Checked = { number: string; quantity: string; isDated: boolean; isPriced: boolean }

function faultOf({ number, quantity, isDated, isPriced }: Checked): string | undefined {
  if (number === '') return 'it has no invoice number'
  if (!/^-?\d{1,9}$/.test(quantity)) return 'its quantity is not a whole number'
  if (!isDated) return 'its date is not d/m/yyyy H:MM'
  return isPriced ? undefined : 'its price is not an amount in pounds'
}

/** `1/12/2010 8:26`, day first, in milliseconds since 1970. The shop's clock is taken for UTC. */
function parseDate(text: string): number | undefined {
  const parts = /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):(\d{2})$/.exec(text)?.slice(1).map(Number)
  if (!parts) return undefined
  const [day = 0, month = 0, year = 0, hour = 0, minute = 0] = parts
  const atMs = Date.UTC(year, month - 1, day, hour, minute)
  const isReal = new Date(atMs).getUTCDate() === day && hour < 24 && minute < 60
  return isReal ? atMs : undefined
}
