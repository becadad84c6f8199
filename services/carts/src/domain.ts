import { AppError } from '@halles/kit/errors'
import { addMoney, type Money, multiplyMoney } from '@halles/kit/money'

/** More lines than a basket of a real shopper has; it bounds what one answer carries. */
export const maxLines = 100
export const maxQuantity = 999

export type Availability = 'in_stock' | 'low_stock' | 'out_of_stock'

export type Line = {
  variantId: string
  productId: string
  title: string
  variantTitle: string
  quantity: number
  unitPrice: Money
  unitPriceWhenAdded: Money
  availability: Availability
}

/** Lines are in the order of adding. A cart without customer is a guest's. */
export type Cart = {
  id: string
  customerId: string | null
  version: number
  lines: readonly Line[]
}

/** A line to be written into a cart. */
export type LineChange = Pick<Line, 'variantId' | 'quantity' | 'unitPriceWhenAdded'>

/** What the store found when it was asked to put a line, and whether it did. */
export type PutOutcome = {
  cart: Cart
  isChanged: boolean
  isSellable: boolean
  isNewLine: boolean
  /** Counted before the put. */
  lineCount: number
  isOtherCurrency: boolean
}

/** The complete state of a product, as far as carts shows it. */
export type ReplicaProduct = {
  productId: string
  version: number
  title: string
  status: 'active' | 'draft' | 'removed'
  variants: readonly {
    variantId: string
    title: string
    price: Money
    availability: Availability
  }[]
}

export function cartNotFound(): AppError {
  return new AppError('not-found', 'CART_NOT_FOUND', 'There is no such cart.', {
    errors: [{ pointer: '/params/cartId', detail: 'is not a cart that is open to you' }],
  })
}

/** A guest's cart is open to who holds its id, a customer's cart to that customer alone. */
export function mayOpen(cart: Pick<Cart, 'customerId'>, customerId: string | null): boolean {
  return cart.customerId === null || cart.customerId === customerId
}

/** @throws not-found `CART_NOT_FOUND`, also for somebody else's: ids are not to be probed. */
export function openCart(cart: Cart | undefined, customerId: string | null): Cart {
  if (!cart || !mayOpen(cart, customerId)) throw cartNotFound()
  return cart
}

/** The cart after a put, or the reason why nothing was put. */
export function acceptPut(outcome: PutOutcome): Cart {
  if (!outcome.isSellable) {
    throw new AppError('not-found', 'VARIANT_NOT_FOUND', 'There is no such variant on sale.', {
      errors: [{ pointer: '/params/variantId', detail: 'is not a variant on sale' }],
    })
  }
  if (outcome.isNewLine && outcome.isOtherCurrency) throw currencyMismatch()
  if (outcome.isNewLine && outcome.lineCount >= maxLines) throw cartFull()
  return outcome.cart
}

/**
 * What changes in the customer's cart when a guest's cart is merged into it: quantities add up, as
 * far as a line allows; a line that both have keeps the price that the customer's remembers.
 * @throws conflict `CART_FULL` or `CURRENCY_MISMATCH`; then nothing is merged.
 */
export function mergeCarts(own: Cart, guest: Cart): LineChange[] {
  const known = new Map(own.lines.map((line) => [line.variantId, line]))
  const added = guest.lines.filter(({ variantId }) => !known.has(variantId))
  const [first] = own.lines
  if (first && added.some(({ unitPrice }) => unitPrice.currency !== first.unitPrice.currency)) {
    throw currencyMismatch()
  }
  if (own.lines.length + added.length > maxLines) throw cartFull()
  return guest.lines.map((line) => {
    const before = known.get(line.variantId)
    return {
      variantId: line.variantId,
      quantity: Math.min(maxQuantity, line.quantity + (before?.quantity ?? 0)),
      unitPriceWhenAdded: (before ?? line).unitPriceWhenAdded,
    }
  })
}

export function lineTotal({ unitPrice, quantity }: Line): Money {
  return multiplyMoney(unitPrice, quantity)
}

/** Null for an empty cart, and for one in which a later price change has left two currencies. */
export function cartTotal({ lines }: Pick<Cart, 'lines'>): Money | null {
  const [first, ...rest] = lines.map(lineTotal)
  if (!first || rest.some(({ currency }) => currency !== first.currency)) return null
  return rest.reduce(addMoney, first)
}

function cartFull(): AppError {
  return new AppError('conflict', 'CART_FULL', `A cart holds at most ${maxLines} lines.`)
}

function currencyMismatch(): AppError {
  return new AppError('conflict', 'CURRENCY_MISMATCH', 'A cart holds prices of one currency.')
}
