import { AppError } from '@halles/kit/errors'
import type { LineQuantity, OrderLine } from './order.ts'

/** One entry for each variant, in the order in which they first appear. */
export function mergeLines(lines: readonly LineQuantity[]): LineQuantity[] {
  const merged = new Map<string, number>()
  for (const { variantId, quantity } of lines) {
    merged.set(variantId, (merged.get(variantId) ?? 0) + quantity)
  }
  return [...merged].map(([variantId, quantity]) => ({ variantId, quantity }))
}

/** The lines as they were bought. @throws unprocessable `LINE_NOT_IN_ORDER` naming the line. */
export function findLines(
  bought: readonly OrderLine[],
  asked: readonly LineQuantity[],
): { line: OrderLine; quantity: number }[] {
  const byId = new Map(bought.map((line) => [line.variantId, line]))
  return asked.map(({ variantId, quantity }, index) => {
    const line = byId.get(variantId)
    if (line) return { line, quantity }
    throw new AppError('unprocessable', 'LINE_NOT_IN_ORDER', 'The order has no such line.', {
      errors: [{ pointer: `/body/lines/${index}/variantId`, detail: 'is not in the order' }],
    })
  })
}

/** Whether two lists name the same pieces. */
export function isSameLines(a: readonly LineQuantity[], b: readonly LineQuantity[]): boolean {
  const quantities = new Map(b.map(({ variantId, quantity }) => [variantId, quantity]))
  return (
    a.length === b.length &&
    a.every(({ variantId, quantity }) => quantities.get(variantId) === quantity)
  )
}
