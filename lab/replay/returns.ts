import type { Invoice, InvoiceLine } from './invoices.ts'
import { type Purchase, type Return, whyNoGoods } from './plan.ts'
import type { Unplayed } from './unplayed.ts'

type Returns = {
  /** What can be taken back from now on. */
  remember(purchase: Purchase): void
  /** A cancellation invoice as refunds, one for each order that it takes from. */
  plan(cancellation: Invoice): Return[]
}

/** Pieces of a good that a customer bought and has not returned. */
type Bought = { purchase: Paid; sku: string; unitMinor: number; left: number }
/** Of an order, what has not been paid back. */
type Paid = { key: string; leftMinor: number }
type Found = { bought: Bought; pieces: number; amountMinor: number }

/** Finds the purchases that cancellations take back, for planning. */
export function createReturns(unplayed: Unplayed): Returns {
  const bought = new Map<string, Bought[]>()

  function planRow(invoice: Invoice, row: InvoiceLine): Found[] {
    const reason = whyNoReturn(invoice, row)
    if (reason !== undefined) {
      unplayed.addRow(reason, invoice, row)
      return []
    }
    const candidates = bought.get(`${invoice.customer} ${row.code}`) ?? []
    const { found, left } = take(candidates, row)
    if (left > 0) {
      const why = candidates.length === 0 ? 'no purchase' : 'not so many, or at so low a price,'
      const part = { pieces: -left, amountMinor: -left * row.unitMinor, invoice: invoice.number }
      unplayed.add(`a cancellation of which the file has ${why} before it`, part)
    }
    return found
  }

  return {
    remember({ key, customer, lines, totalMinor }) {
      if (customer === null) return
      const purchase = { key, leftMinor: totalMinor }
      for (const { sku, unitMinor, quantity } of lines) {
        const owner = `${customer} ${sku}`
        const own = bought.get(owner) ?? []
        own.push({ purchase, sku, unitMinor, left: quantity })
        bought.set(owner, own)
      }
    },
    plan(invoice) {
      const found = invoice.lines.flatMap((row) => planRow(invoice, row))
      const byPurchase = [...Map.groupBy(found, (each) => each.bought.purchase.key)]
      return byPurchase.map(([purchaseKey, parts], index) => ({
        kind: 'return',
        key: `${invoice.number}-${index + 1}`,
        atMs: invoice.atMs,
        purchaseKey,
        lines: [...Map.groupBy(parts, (part) => part.bought.sku)].map(([sku, own]) => ({
          sku,
          quantity: own.reduce((total, { pieces }) => total + pieces, 0),
        })),
        amountMinor: parts.reduce((total, part) => total + part.amountMinor, 0),
      }))
    },
  }
}

function whyNoReturn({ customer }: Invoice, row: InvoiceLine): string | undefined {
  if (row.quantity >= 0) return 'a cancellation that takes nothing back'
  const reason = whyNoGoods(row)
  if (reason !== undefined) return `a cancellation: ${reason}`
  if (row.unitMinor <= 0) return 'a cancellation: no price'
  return customer === null ? 'a cancellation without a customer to find the purchase by' : undefined
}

/**
 * The newest purchases at the price of the cancellation first, then at other prices. What goes back
 * is what the cancellation says, as long as the order has so much left.
 */
function take(candidates: readonly Bought[], row: InvoiceLine): { found: Found[]; left: number } {
  const newest = candidates.toReversed()
  const isSamePrice = ({ unitMinor }: Bought) => unitMinor === row.unitMinor
  const inOrder = [...newest.filter(isSamePrice), ...newest.filter((each) => !isSamePrice(each))]
  const found: Found[] = []
  let left = -row.quantity
  for (const bought of inOrder) {
    const affordable = Math.floor(bought.purchase.leftMinor / row.unitMinor)
    const pieces = Math.min(left, bought.left, affordable)
    if (pieces === 0) continue
    const amountMinor = pieces * row.unitMinor
    bought.left -= pieces
    bought.purchase.leftMinor -= amountMinor
    left -= pieces
    found.push({ bought, pieces, amountMinor })
  }
  return { found, left }
}
