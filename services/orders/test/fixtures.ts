import { uuidv7 } from '@halles/kit/ids'
import type { Address, Moment, Order, OrderLine } from '../src/domain/order.ts'
import type { PaymentState } from '../src/domain/payment.ts'
import { createTotals } from '../src/domain/totals.ts'
import type { CheckoutStore, Deps, OrderStore } from '../src/ports.ts'
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
export const shopper = { kind: 'shopper', subjectId: null } as const
export const staff = { kind: 'staff', subjectId: uuidv7() } as const
export const provider = { kind: 'provider', subjectId: null } as const
export const moment = (changes: Partial<Moment> = {}): Moment => ({
  at,
  actor: provider,
  cause: 'event:evt_1',
  newId: uuidv7,
  ...changes,
})
export const totalsOf = createTotals({ shipping: [], taxRates: { GB: 2_000 } })

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

/** An order of two lamps for 25.00 that waits for its money. */
export function anOrder(changes: Partial<Order> = {}): Order {
  const lines = changes.lines ?? [aLine()]
  return {
    id: uuidv7(),
    version: 1,
    status: 'pending_payment',
    cartId: uuidv7(),
    customerId: null,
    email: 'ada@example.org',
    shippingAddress: address,
    lines,
    totals: totalsOf({ lines, country: 'GB' }),
    payment: {
      id: uuidv7(),
      method: 'online',
      redirectUrl: 'https://pay.example/1',
      expiresAt: new Date(at.getTime() + 60_000),
      revision: 0,
      phase: 'open',
      capturedMinor: 0,
      disputes: [],
    },
    fulfilments: [],
    refunds: [],
    placedAt: at,
    cancellation: null,
    ...changes,
  }
}

/** What payments says of an order's payment; the revision is newer than what the order knows. */
export function aState(order: Order, changes: Partial<PaymentState> = {}): PaymentState {
  const { amountMinor, currency } = order.totals.total
  return {
    paymentId: order.payment.id,
    revision: order.payment.revision + 1,
    phase: 'open',
    currency,
    amountMinor,
    capturedMinor: changes.phase === 'captured' ? amountMinor : 0,
    refunds: [],
    disputes: [],
    ...changes,
  }
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
    unfinished: { list: async () => [], has: async () => false, count: async () => [] },
    totalsOf,
    clock: () => new Date(),
    newId: uuidv7,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    // The tests' leases are over before they could be renewed, or long enough.
    repeat: () => () => undefined,
    log: { warn: () => undefined, error: () => undefined },
  }
}

export function aCommand(changes: Partial<PlaceOrder> = {}): PlaceOrder {
  return {
    cartId: uuidv7(),
    email: 'ada@example.org',
    shippingAddress: address,
    expectedTotal: gbp(2_500),
    paymentMethod: 'online',
    idempotencyKey: uuidv7(),
    customerId: null,
    ...changes,
  }
}
