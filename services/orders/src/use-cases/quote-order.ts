import { checkCart, checkCurrency } from '../domain/checkout.ts'
import type { Totals } from '../domain/totals.ts'
import type { Deps } from '../ports.ts'

/**
 * What a cart costs delivered to a country, by the prices that the cart shows.
 * @throws not-found `CART_NOT_FOUND`; conflict `CART_EMPTY`; unprocessable `CURRENCY_MISMATCH`.
 */
export async function quoteOrder(
  { carts, totalsOf }: Pick<Deps, 'carts' | 'totalsOf'>,
  asked: { cartId: string; customerId: string | null; country: string },
): Promise<Totals> {
  const lines = await carts.getLines(asked.cartId, asked.customerId)
  checkCart(lines)
  checkCurrency(lines, lines[0]?.unitPrice.currency)
  return totalsOf({ lines, country: asked.country })
}
