import type { Invoice, InvoiceFile, InvoiceLine } from './invoices.ts'
import { createReturns } from './returns.ts'
import { createUnplayed, type Unplayed } from './unplayed.ts'

export type PlannedLine = { sku: string; quantity: number; unitMinor: number }

/** One order: what one cart and one checkout can carry of an invoice. */
export type Purchase = {
  kind: 'purchase'
  /** The invoice's number and the order's place in it. */
  key: string
  atMs: number
  /** Null for a guest. */
  customer: string | null
  country: string
  lines: PlannedLine[]
  totalMinor: number
}

/** One refund: what a cancellation invoice takes back of one order. */
export type Return = {
  kind: 'return'
  key: string
  atMs: number
  purchaseKey: string
  lines: { sku: string; quantity: number }[]
  amountMinor: number
}

export type Step = Purchase | Return

export type Good = { sku: string; title: string; unitMinor: number }

export type Plan = {
  goods: Good[]
  /** Pieces that every good gets: as many as the most wanted one sells. */
  stock: number
  /** In the order of the file. */
  steps: Step[]
  unplayed: Unplayed
  counts: {
    rows: number
    invoices: number
    purchaseInvoices: number
    playedPurchaseInvoices: number
    cancellationInvoices: number
    playedCancellationInvoices: number
    /** Rows of the file that are bought, wholly. */
    purchaseRows: number
    customers: number
    priceChanges: number
  }
  money: {
    /** The sum of quantity times price over all rows that can be read, signed. */
    fileMinor: number
    purchasedMinor: number
    returnedMinor: number
  }
}

/** What the shop takes: lines of a cart (and of the provider's page), pieces of a line. */
export type Limits = { maxLines: number; maxQuantity: number }
export const shopLimits: Limits = { maxLines: 100, maxQuantity: 999 }

// As the shop's importer tells goods from postage, fees, samples and corrections.
const goodsCode = /^\d{5}[\w-]{0,27}$/

/** Decides for every row of the file how it is played, or why it is not. Pure. */
export function planReplay(file: InvoiceFile, limits: Limits = shopLimits): Plan {
  const unplayed = createUnplayed()
  const returns = createReturns(unplayed)
  const steps: Step[] = []
  const counts = {
    rows: file.rows,
    invoices: file.invoices.length,
    purchaseInvoices: 0,
    playedPurchaseInvoices: 0,
    cancellationInvoices: 0,
    playedCancellationInvoices: 0,
    purchaseRows: 0,
  }
  for (const { invoice, why } of file.unreadable) {
    unplayed.add(`unreadable: ${why}`, { invoice, pieces: 0, amountMinor: 0 })
  }
  const bought: InvoiceLine[] = []
  for (const invoice of file.invoices) {
    if (invoice.isCancellation) {
      const planned = returns.plan(invoice)
      steps.push(...planned)
      counts.cancellationInvoices += 1
      counts.playedCancellationInvoices += Number(planned.length > 0)
      continue
    }
    const rows = invoice.lines.filter((row) => {
      const reason = whyNotSold(row)
      if (reason !== undefined) unplayed.addRow(reason, invoice, row)
      return reason === undefined
    })
    const purchases = toPurchases(invoice, rows, limits)
    for (const purchase of purchases) returns.remember(purchase)
    steps.push(...purchases)
    bought.push(...rows)
    counts.purchaseInvoices += 1
    counts.playedPurchaseInvoices += Number(purchases.length > 0)
  }
  const rows = file.invoices.flatMap(({ lines }) => lines)
  const totals = totalsOf(steps)
  return {
    ...toGoods(bought),
    steps,
    unplayed,
    counts: { ...counts, purchaseRows: bought.length, ...totals.counts },
    money: { fileMinor: sum(rows.map(amountOf)), ...totals.money },
  }
}

function whyNotSold(row: InvoiceLine): string | undefined {
  if (row.quantity < 0) return 'a correction of the stock (negative quantity, no cancellation)'
  if (row.quantity === 0) return 'no pieces'
  return whyNoGoods(row) ?? (row.unitMinor <= 0 ? 'no price' : undefined)
}

/** Why a row is not about goods; undefined when it is. */
export function whyNoGoods({ code, description }: InvoiceLine): string | undefined {
  if (code === '') return 'no stock code'
  if (!goodsCode.test(code)) return 'not goods (postage, fees, samples, manual entries …)'
  return description === '' ? 'no description' : undefined
}

/**
 * An invoice as orders. Rows of the same good at the same price are one line. A good that has two
 * prices in one invoice, more pieces than a line takes and more lines than a cart takes go on in
 * the next order: an order has one price for a good, and the price is changed between the two.
 */
function toPurchases(invoice: Invoice, rows: InvoiceLine[], limits: Limits): Purchase[] {
  const { maxLines, maxQuantity } = limits
  const merged = new Map<string, PlannedLine>()
  for (const { code: sku, unitMinor, quantity } of rows) {
    const key = `${sku} ${unitMinor}`
    const before = merged.get(key)?.quantity ?? 0
    merged.set(key, { sku, unitMinor, quantity: before + quantity })
  }
  const orders: Map<string, PlannedLine>[] = []
  for (const { quantity, ...line } of merged.values()) {
    for (let left = quantity; left > 0; left -= maxQuantity) {
      const order = orders.find((each) => each.size < maxLines && !each.has(line.sku))
      const part = { ...line, quantity: Math.min(left, maxQuantity) }
      if (order) order.set(line.sku, part)
      else orders.push(new Map([[line.sku, part]]))
    }
  }
  const { number, atMs, customer, country } = invoice
  return orders.map((each, index): Purchase => {
    const lines = [...each.values()]
    const totalMinor = sum(lines.map((line) => line.quantity * line.unitMinor))
    const key = `${number}-${index + 1}`
    return { kind: 'purchase', key, atMs, customer, country, lines, totalMinor }
  })
}

/** One good per stock code, by its most frequent description and its first price. */
function toGoods(rows: readonly InvoiceLine[]): Pick<Plan, 'goods' | 'stock'> {
  const goods = [...Map.groupBy(rows, ({ code }) => code)].map(([sku, own]) => {
    const titles = [...Map.groupBy(own, ({ description }) => description)]
    const [title = ''] = titles.reduce((a, b) => (b[1].length > a[1].length ? b : a))
    return { sku, title, unitMinor: own[0]?.unitMinor ?? 0, sold: sum(own.map((r) => r.quantity)) }
  })
  return {
    goods: goods.map(({ sold: _sold, ...good }) => good),
    stock: goods.reduce((most, { sold }) => Math.max(most, sold), 0),
  }
}

function totalsOf(steps: readonly Step[]) {
  const prices = new Map<string, number>()
  const customers = new Set<string>()
  let priceChanges = 0
  let purchasedMinor = 0
  let returnedMinor = 0
  for (const step of steps) {
    if (step.kind === 'return') {
      returnedMinor += step.amountMinor
      continue
    }
    purchasedMinor += step.totalMinor
    if (step.customer !== null) customers.add(step.customer)
    for (const { sku, unitMinor } of step.lines) {
      const before = prices.get(sku)
      if (before !== undefined && before !== unitMinor) priceChanges += 1
      prices.set(sku, unitMinor)
    }
  }
  return {
    counts: { customers: customers.size, priceChanges },
    money: { purchasedMinor, returnedMinor },
  }
}

export function amountOf({ quantity, unitMinor }: InvoiceLine): number {
  return quantity * unitMinor
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
