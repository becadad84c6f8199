import { parseAmount } from './amount.ts'

type LineQuantity = { variantId: string; quantity: number }
type Amount = { amountMinor: number; currency: string }
type Line = {
  variantId: string
  quantity: number
  fulfilledQuantity: number
  refundedQuantity: number
  unitPrice: Amount
}

/** The pieces of a line that have still to be sent: what was paid back is never sent. */
export function toSend({ quantity, fulfilledQuantity, refundedQuantity }: Line): number {
  return Math.max(0, quantity - fulfilledQuantity - refundedQuantity)
}

/** The pieces of a line whose money can still go back. */
export function toRefund({ quantity, refundedQuantity }: Line): number {
  return Math.max(0, quantity - refundedQuantity)
}

/** The pieces that a form names, line by line, each field bearing the variant's id. */
export function readPieces(form: FormData, lines: readonly Line[]): LineQuantity[] {
  return lines.flatMap(({ variantId }) => {
    const value = String(form.get(`pieces-${variantId}`) ?? '')
    const quantity = /^\d{1,3}$/.test(value) ? Number(value) : 0
    return quantity > 0 ? [{ variantId, quantity }] : []
  })
}

/** What the pieces cost. */
export function priceOf(pieces: readonly LineQuantity[], lines: readonly Line[], currency: string) {
  const amountMinor = pieces.reduce((sum, { variantId, quantity }) => {
    const line = lines.find((each) => each.variantId === variantId)
    return sum + (line?.unitPrice.amountMinor ?? 0) * quantity
  }, 0)
  return { amountMinor, currency }
}

/** A refund as the form says it: of lines, of an amount, or both; the reason when it says neither. */
export function readRefund(
  form: FormData,
  order: { lines: readonly Line[]; total: Amount },
):
  | { lines: LineQuantity[]; amount: Amount; isReturned: boolean; reason: string }
  | { fault: string } {
  const { currency } = order.total
  const lines = readPieces(form, order.lines)
  const typed = String(form.get('amount') ?? '').trim()
  const amount = typed === '' ? priceOf(lines, order.lines, currency) : parseAmount(typed, currency)
  if (!amount) return { fault: 'NO_AMOUNT' }
  if (amount.amountMinor === 0) return { fault: 'NOTHING_CHOSEN' }
  const reason = String(form.get('reason') ?? '')
    .trim()
    .slice(0, 300)
  return { lines, amount, isReturned: form.get('isReturned') !== null, reason }
}
