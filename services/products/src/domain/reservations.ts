import { AppError } from '@halles/kit/errors'
import { type Availability, availabilityOf } from './product.ts'

export type Line = { variantId: string; quantity: number }

/** A variant's stock as it is while we hold its lock. */
export type LockedStock = {
  variantId: string
  productId: string
  onHand: number
  reserved: number
  /** As last published. */
  availability: Availability
}

/** A variant that an order asks for, with what it costs now. */
export type OfferedVariant = LockedStock & {
  sku: string
  title: string
  variantTitle: string
  unitAmountMinor: number
  currency: string
  isSold: boolean
}

export type Quote = {
  variantId: string
  productId: string
  sku: string
  title: string
  variantTitle: string
  quantity: number
  unitAmountMinor: number
  currency: string
}

/** What moves in one variant's stock; negative numbers take away. */
export type Move = { variantId: string; onHand: number; reserved: number }

/** Moves, and the products of which a variant's published availability no longer holds. */
export type Movement = { moves: Move[]; crossed: string[] }

export type ReservationStatus = 'held' | 'released' | 'sold'

export type Reservation = { id: string; status: ReservationStatus; lines: readonly HeldLine[] }
/** `taken` is what a sale took from the stock, `returned` what of it came back. */
export type HeldLine = Line & { taken: number; returned: number }

/** One line for each variant, in the order in which they first appear. */
export function mergeLines(lines: readonly Line[]): Line[] {
  const merged = new Map<string, number>()
  for (const { variantId, quantity } of lines) {
    merged.set(variantId, (merged.get(variantId) ?? 0) + quantity)
  }
  return [...merged].map(([variantId, quantity]) => ({ variantId, quantity }))
}

/**
 * Holds all lines or none.
 * @throws not-found `VARIANT_NOT_FOUND`, conflict `OUT_OF_STOCK` with what there is of each.
 */
export function reserve(
  lines: readonly Line[],
  offered: readonly OfferedVariant[],
): Movement & { quotes: Quote[] } {
  const byId = new Map(offered.filter(({ isSold }) => isSold).map((row) => [row.variantId, row]))
  const unknown = lines.filter(({ variantId }) => !byId.has(variantId))
  if (unknown.length > 0) throw variantsNotSold(unknown)
  const wanted = lines.flatMap((line) => {
    const variant = byId.get(line.variantId)
    return variant ? [{ ...line, variant }] : []
  })
  const short = wanted.filter(({ quantity, variant }) => availableOf(variant) < quantity)
  if (short.length > 0) throw outOfStock(short)
  const moves = lines.map(({ variantId, quantity }) => ({
    variantId,
    onHand: 0,
    reserved: quantity,
  }))
  const quotes = wanted.map(({ quantity, variant }) => ({
    variantId: variant.variantId,
    productId: variant.productId,
    sku: variant.sku,
    title: variant.title,
    variantTitle: variant.variantTitle,
    quantity,
    unitAmountMinor: variant.unitAmountMinor,
    currency: variant.currency,
  }))
  return { moves, crossed: crossedProducts(moves, offered), quotes }
}

/** Gives back what reservations hold. */
export function release(lines: readonly Line[], stock: readonly LockedStock[]): Movement {
  const moves = mergeLines(lines).map(({ variantId, quantity }) => ({
    variantId,
    onHand: 0,
    reserved: -quantity,
  }))
  return { moves, crossed: crossedProducts(moves, stock) }
}

export type Sale = Movement & { lines: HeldLine[]; missing: number }

/**
 * The pieces leave the stock. When the reservation had been freed before the money came, what is
 * still available is taken; the rest is missing, since stock never goes below zero.
 */
export function sell({ status, lines }: Reservation, stock: readonly LockedStock[]): Sale {
  const byId = new Map(stock.map((row) => [row.variantId, row]))
  const isHeld = status === 'held'
  const sold = lines.map(({ variantId, quantity, returned }) => {
    const row = byId.get(variantId)
    const available = row ? Math.max(0, availableOf(row)) : 0
    const taken = isHeld ? quantity : Math.min(quantity, available)
    return { variantId, quantity, taken, returned }
  })
  const moves = sold.map(({ variantId, taken }) => ({
    variantId,
    onHand: -taken,
    reserved: isHeld ? -taken : 0,
  }))
  const missing = sold.reduce((sum, { quantity, taken }) => sum + quantity - taken, 0)
  return { moves, crossed: crossedProducts(moves, stock), lines: sold, missing }
}

/** A void order: held pieces are free again, sold ones return to the shelf. */
export function cancel({ status, lines }: Reservation, stock: readonly LockedStock[]): Movement {
  if (status === 'held') return release(lines, stock)
  const moves = lines.map(({ variantId, taken, returned }) => ({
    variantId,
    onHand: taken - returned,
    reserved: 0,
  }))
  return { moves, crossed: crossedProducts(moves, stock) }
}

/** Pieces of a sale come back: never more of a line than it took and that is not back already. */
export function takeBack(
  { status, lines }: Reservation,
  returned: readonly Line[],
  stock: readonly LockedStock[],
): Movement & { lines: Line[] } {
  const told = new Map(mergeLines(returned).map((line) => [line.variantId, line.quantity]))
  const back = lines.flatMap(({ variantId, taken, ...line }) => {
    // A cancellation has given everything back.
    const left = status === 'sold' ? taken - line.returned : 0
    const quantity = Math.min(told.get(variantId) ?? 0, left)
    return quantity > 0 ? [{ variantId, quantity }] : []
  })
  const moves = back.map(({ variantId, quantity }) => ({
    variantId,
    onHand: quantity,
    reserved: 0,
  }))
  return { moves, crossed: crossedProducts(moves, stock), lines: back }
}

/** @throws conflict when a repeated request does not fit what was reserved. */
export function checkRepeated(
  status: ReservationStatus,
  held: readonly Line[],
  asked: readonly Line[],
): void {
  if (status === 'released') {
    throw new AppError(
      'conflict',
      'RESERVATION_RELEASED',
      'This reservation was released or has expired.',
    )
  }
  const quantities = new Map(held.map(({ variantId, quantity }) => [variantId, quantity]))
  const isSame =
    held.length === asked.length &&
    asked.every(({ variantId, quantity }) => quantities.get(variantId) === quantity)
  if (!isSame) {
    throw new AppError(
      'conflict',
      'RESERVATION_DIFFERS',
      'This reservation was made for other lines.',
    )
  }
}

function availableOf({ onHand, reserved }: LockedStock): number {
  return onHand - reserved
}

function crossedProducts(moves: readonly Move[], stock: readonly LockedStock[]): string[] {
  const byId = new Map(moves.map((move) => [move.variantId, move]))
  const crossed = stock.filter((row) => {
    const move = byId.get(row.variantId)
    const available = availableOf(row) + (move ? move.onHand - move.reserved : 0)
    return availabilityOf(available) !== row.availability
  })
  return [...new Set(crossed.map(({ productId }) => productId))]
}

function variantsNotSold(lines: readonly Line[]): AppError {
  return new AppError('not-found', 'VARIANT_NOT_FOUND', 'A variant is unknown or not for sale.', {
    details: { lines: lines.map(({ variantId }) => ({ variantId })) },
  })
}

function outOfStock(
  short: readonly { variantId: string; quantity: number; variant: LockedStock }[],
): AppError {
  const lines = short.map(({ variantId, quantity, variant }) => ({
    variantId,
    requested: quantity,
    available: availableOf(variant),
  }))
  return new AppError('conflict', 'OUT_OF_STOCK', 'There is not enough stock for the order.', {
    details: { lines },
  })
}
