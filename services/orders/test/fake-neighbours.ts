import { AppError } from '@halles/kit/errors'
import type { CartLine } from '../src/domain/checkout.ts'
import type { OrderLine } from '../src/domain/order.ts'
import type { Carts, Products } from '../src/ports.ts'
import { fakePayments } from './fake-payments.ts'
import { aLine } from './fixtures.ts'

/** Carts, products and payments in memory: what they hold is what a test looks at. */
export function fakeNeighbours(lines: readonly OrderLine[] = [aLine()]) {
  const reservations = new Map<string, 'held' | 'released'>()
  const holdSeconds = new Map<string, number>()
  const money = fakePayments()
  const quoted = { lines }
  const carts: Carts = {
    getLines: async () => quoted.lines.map(toCartLine),
  }
  const products: Products = {
    async reserveStock({ orderId, ttlSeconds }) {
      if (reservations.get(orderId) === 'released') {
        throw new AppError('conflict', 'RESERVATION_RELEASED', 'Released.')
      }
      reservations.set(orderId, 'held')
      holdSeconds.set(orderId, Math.max(ttlSeconds, holdSeconds.get(orderId) ?? 0))
      return [...quoted.lines]
    },
    async releaseStock(orderId) {
      if (reservations.has(orderId)) reservations.set(orderId, 'released')
    },
  }
  const held = () => [...reservations.values()].filter((state) => state === 'held').length
  const open = () => [...money.states.values()].filter(({ phase }) => phase !== 'ended').length
  return {
    carts,
    products,
    payments: money.payments,
    money,
    made: money.states,
    reservations,
    holdSeconds,
    quoted,
    held,
    open,
  }
}

export type FakeNeighbours = ReturnType<typeof fakeNeighbours>

function toCartLine({ variantId, quantity, unitPrice }: OrderLine): CartLine {
  return { variantId, quantity, unitPrice }
}
