import type { CartLine } from '../../services/orders/src/domain/checkout.ts'

/** What the carts show: their own, perhaps older, knowledge of the prices. */
export type Carts = ReturnType<typeof createCarts>

export function createCarts() {
  const carts = new Map<string, readonly { variantId: string; quantity: number }[]>()
  const shown = new Map<string, number>()
  return {
    fill: (cartId: string, lines: readonly { variantId: string; quantity: number }[]) =>
      void carts.set(cartId, lines),
    hear: (variantId: string, amountMinor: number) => void shown.set(variantId, amountMinor),
    priceShown: (variantId: string) => shown.get(variantId) ?? 0,
    linesOf: (cartId: string): CartLine[] =>
      (carts.get(cartId) ?? []).map((line) => ({
        ...line,
        unitPrice: { amountMinor: shown.get(line.variantId) ?? 0, currency: 'EUR' },
      })),
    clear() {
      carts.clear()
      shown.clear()
    },
  }
}
