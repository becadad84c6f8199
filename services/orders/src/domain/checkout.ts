import { AppError, type FieldError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'
import type { Address, OrderLine } from './order.ts'
import type { PaymentMethod } from './payment.ts'
import type { PricedLine, Totals } from './totals.ts'

/** A line as the shopper's cart shows it. */
export type CartLine = { variantId: string; quantity: number; unitPrice: Money }

/** What the shopper asked for, validated at the edge. */
export type CheckoutRequest = {
  cartId: string
  email: string | null
  shippingAddress: Address
  /** The total that the shopper saw. */
  expectedTotal: Money
  paymentMethod: PaymentMethod
}

/** Why a checkout ended without an order: kept, and answered again for the same key. */
export type Refusal = {
  kind: 'invalid' | 'not-found' | 'conflict' | 'unprocessable'
  code: string
  message: string
  details: Readonly<Record<string, unknown>>
  errors: readonly FieldError[]
}

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
/** How long an order can be paid. */
const timeToPayMs: Readonly<Record<PaymentMethod, number>> = {
  // The provider takes sessions of 30 minutes and more; the rest is for a checkout that is tried
  // again.
  online: 35 * minuteMs,
  // A transfer on a Friday evening arrives in the middle of the next week.
  bank_transfer: 7 * dayMs,
}
// The expiry's margin and the provider's late news, after the time to pay.
const stockMarginSeconds = 25 * 60
// An older one could not get its 30 minutes at the provider any more.
const resumableMs = 4 * minuteMs

/** Asynchronous methods take up to two weeks to succeed or fail. */
export const processingHoldSeconds = (14 * dayMs) / 1_000

/** Until when a checkout that began then can be paid; the same however often it is resumed. */
export function payableUntil(startedAt: Date, method: PaymentMethod): Date {
  return new Date(startedAt.getTime() + timeToPayMs[method])
}

/** How long the stock is held for a checkout: longer than it can be paid. */
export function stockHoldSeconds(method: PaymentMethod): number {
  return timeToPayMs[method] / 1_000 + stockMarginSeconds
}

/** @throws conflict `CHECKOUT_ABANDONED` when it began too long ago to be taken up again. */
export function checkResumable(startedAt: Date, at: Date): void {
  if (at.getTime() - startedAt.getTime() > resumableMs) throw toError(abandoned)
}

export const abandoned: Refusal = {
  kind: 'conflict',
  code: 'CHECKOUT_ABANDONED',
  message: 'This checkout was not finished in time and was undone. Use a new Idempotency-Key.',
  details: {},
  errors: [],
}

export function checkCart(lines: readonly CartLine[]): void {
  if (lines.length === 0) throw new AppError('conflict', 'CART_EMPTY', 'The cart is empty.')
}

/** @throws unprocessable `CURRENCY_MISMATCH` unless all lines are priced in the currency. */
export function checkCurrency(lines: readonly PricedLine[], currency: string | undefined): void {
  if (lines.some(({ unitPrice }) => unitPrice.currency !== currency)) throw currencyMismatch()
}

/**
 * Compares the server's total with the one that the shopper saw.
 * @throws conflict `PRICE_CHANGED` with the difference by line.
 */
export function checkTotal(
  { lines, totals }: { lines: readonly OrderLine[]; totals: Totals },
  inCart: readonly CartLine[],
  expectedTotal: Money,
): void {
  if (totals.total.amountMinor === expectedTotal.amountMinor) return
  const shown = new Map(inCart.map(({ variantId, unitPrice }) => [variantId, unitPrice]))
  const difference = lines.map(({ variantId, title, quantity, unitPrice }) => ({
    variantId,
    title,
    quantity,
    unitPriceInCart: shown.get(variantId) ?? null,
    unitPrice,
  }))
  throw new AppError(
    'conflict',
    'PRICE_CHANGED',
    'The total has changed since you saw it. Confirm the new one with a new Idempotency-Key.',
    { details: { expectedTotal, actualTotal: totals.total, totals, lines: difference } },
  )
}

function currencyMismatch(): AppError {
  return new AppError(
    'unprocessable',
    'CURRENCY_MISMATCH',
    'The cart is not priced in the currency of the expected total.',
    {
      errors: [
        { pointer: '/body/expectedTotal/currency', detail: 'is not the currency of the cart' },
      ],
    },
  )
}

/** The refusal that an error stands for; undefined when trying again may help. */
export function toRefusal(error: unknown): Refusal | undefined {
  if (!(error instanceof AppError)) return undefined
  const { kind, code, message, details, errors } = error
  if (kind === 'precondition-failed') return { kind: 'conflict', code, message, details, errors }
  const isFinal =
    kind === 'invalid' || kind === 'not-found' || kind === 'conflict' || kind === 'unprocessable'
  return isFinal ? { kind, code, message, details, errors } : undefined
}

export function toError({ kind, code, message, details, errors }: Refusal): AppError {
  return new AppError(kind, code, message, { details, errors })
}

export function checkoutInProgress(): AppError {
  return new AppError(
    'unavailable',
    'CHECKOUT_IN_PROGRESS',
    'The same checkout is under way. Ask again with the same Idempotency-Key.',
    { retryAfterSeconds: 2 },
  )
}

export function checkoutUnavailable(service: string, cause: unknown): AppError {
  return new AppError(
    'unavailable',
    'CHECKOUT_UNAVAILABLE',
    'The checkout cannot be completed at the moment. Nothing was charged; try again.',
    { details: { service }, retryAfterSeconds: 5, cause },
  )
}
