import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import type { CartLine } from '../src/domain/checkout.ts'
import type { Address, Order, OrderLine } from '../src/domain/order.ts'
import type { Carts, CheckoutStore, Deps, OrderStore, Payments, Products } from '../src/ports.ts'
import type { PlaceOrder } from '../src/use-cases/place-order.ts'

export const at = new Date('2026-01-02T03:04:05.000Z')
export const address: Address = {
  name: 'Ada Lovelace',
  line1: '12 St James’s Square',
  postalCode: 'SW1Y 4JH',
  city: 'London',
  country: 'GB',
}
export const gbp = (amountMinor: number) => ({ amountMinor, currency: 'GBP' })
export const moment = () => ({ at, messageId: uuidv7() })

export function aLine(unitPrice = gbp(1_250), quantity = 2): OrderLine {
  return {
    variantId: uuidv7(),
    productId: uuidv7(),
    sku: 'LAMP-1',
    title: 'Lamp',
    variantTitle: 'Brass',
    quantity,
    unitPrice,
  }
}

export function anOrder(changes: Partial<Order> = {}): Order {
  return {
    id: uuidv7(),
    version: 1,
    status: 'pending_payment',
    cartId: uuidv7(),
    customerId: null,
    email: 'ada@example.org',
    shippingAddress: address,
    lines: [aLine()],
    total: gbp(2_500),
    payment: {
      id: uuidv7(),
      status: 'pending',
      redirectUrl: 'https://pay.example/1',
      expiresAt: new Date(at.getTime() + 60_000),
    },
    placedAt: at,
    cancellation: null,
    ...changes,
  }
}

/** Carts, products and payments in memory: what they hold is what a test looks at. */
export function fakeNeighbours(lines: readonly OrderLine[] = [aLine()]) {
  const reservations = new Map<string, 'held' | 'released'>()
  const payments = new Map<string, { paymentId: string; status: 'open' | 'paid' | 'cancelled' }>()
  const refunded = new Set<string>()
  const quoted = { lines }
  const carts: Carts = {
    getLines: async () => quoted.lines.map(toCartLine),
  }
  const products: Products = {
    async reserveStock(orderId) {
      if (reservations.get(orderId) === 'released') {
        throw new AppError('conflict', 'RESERVATION_RELEASED', 'Released.')
      }
      reservations.set(orderId, 'held')
      return [...quoted.lines]
    },
    async releaseStock(orderId) {
      if (reservations.has(orderId)) reservations.set(orderId, 'released')
    },
  }
  const paymentsPort: Payments = {
    async createPayment({ orderId }) {
      const known = payments.get(orderId) ?? { paymentId: uuidv7(), status: 'open' as const }
      if (known.status === 'cancelled') {
        throw new AppError('conflict', 'PAYMENT_CANCELLED', 'Cancelled.')
      }
      payments.set(orderId, known)
      return { paymentId: known.paymentId, redirectUrl: `https://pay.example/${known.paymentId}` }
    },
    async cancelPayment(orderId) {
      const known = payments.get(orderId)
      payments.set(orderId, { paymentId: known?.paymentId ?? '', status: 'cancelled' })
      if (known?.status === 'paid') refunded.add(orderId)
      return refunded.has(orderId) ? 'refunded' : 'cancelled'
    },
  }
  const held = () => [...reservations.values()].filter((state) => state === 'held').length
  const open = () => [...payments.values()].filter(({ status }) => status !== 'cancelled').length
  return {
    carts,
    products,
    payments: paymentsPort,
    reservations,
    made: payments,
    refunded,
    quoted,
    held,
    open,
  }
}

export type FakeNeighbours = ReturnType<typeof fakeNeighbours>

function toCartLine({ variantId, quantity, unitPrice }: OrderLine): CartLine {
  return { variantId, quantity, unitPrice }
}

export function testDeps(
  stores: { orders: OrderStore; checkouts: CheckoutStore },
  neighbours: Pick<Deps, 'carts' | 'products' | 'payments'>,
): Deps {
  const { carts, products, payments } = neighbours
  return {
    ...stores,
    carts,
    products,
    payments,
    clock: () => new Date(),
    newId: uuidv7,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    log: { warn: () => undefined, error: () => undefined },
  }
}

export function aCommand(changes: Partial<PlaceOrder> = {}): PlaceOrder {
  return {
    cartId: uuidv7(),
    email: 'ada@example.org',
    shippingAddress: address,
    expectedTotal: gbp(2_500),
    idempotencyKey: uuidv7(),
    customerId: null,
    ...changes,
  }
}
