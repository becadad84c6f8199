import type { Money } from '@halles/kit/money'
import type { CartLine, CheckoutRequest, Refusal } from './domain/checkout.ts'
import type { Decision, Order, OrderLine, OrderStatus } from './domain/order.ts'

export type Carts = {
  /** @throws not-found `CART_NOT_FOUND`, also for a cart of somebody else. */
  getLines(cartId: string, subjectId: string | null): Promise<CartLine[]>
}

export type Products = {
  /** Holds all or nothing; the same order gets the same reservation. @throws `OUT_OF_STOCK`. */
  reserveStock(
    orderId: string,
    lines: readonly { variantId: string; quantity: number }[],
  ): Promise<OrderLine[]>
  releaseStock(orderId: string): Promise<void>
}

export type PaymentRequest = {
  orderId: string
  email: string | null
  lines: readonly OrderLine[]
  total: Money
  expiresAt: Date
}

export type Payments = {
  /** One payment per order: the same order gets the same payment. */
  createPayment(request: PaymentRequest): Promise<{ paymentId: string; redirectUrl: string }>
  /** Ends the payment of an order for good, returning money that was taken. */
  cancelPayment(orderId: string): Promise<'cancelled' | 'refunded'>
}

/** The right to work on a checkout; lost when it runs out and somebody else takes it. */
export type Lease = { orderId: string; leaseId: string }

export type Claim =
  /** `isResumed`: an earlier try may have left something behind. */
  | { kind: 'claimed'; lease: Lease; startedAt: Date; isResumed: boolean }
  | { kind: 'busy' }
  | { kind: 'reused' }
  | { kind: 'refused'; refusal: Refusal }
  | { kind: 'placed'; order: Order }

export type NewCheckout = {
  orderId: string
  leaseId: string
  scope: string
  idempotencyKey: string
  fingerprint: string
  request: CheckoutRequest
}

export type CheckoutState = 'started' | 'placed' | 'refused'

export type CheckoutStore = {
  /** Begins the checkout of a key, or takes up one that nobody works on. */
  claim(checkout: NewCheckout): Promise<Claim>
  /** Ends it with an order, its messages in the same transaction; false when the lease was lost. */
  place(lease: Lease, decision: Decision): Promise<boolean>
  /** Ends it without one; false when the lease was lost. */
  refuse(lease: Lease, refusal: Refusal, needsCompensation: boolean): Promise<boolean>
  /** Everything that was held for a refused checkout is free again. */
  recordCompensation(orderId: string): Promise<void>
  /** Lets others take them up at once. */
  release(leaseId: string, orderIds: readonly string[]): Promise<void>
  /** Leases checkouts that nobody works on: started so long ago, or refused but not undone. */
  claimStuck(options: {
    leaseId: string
    olderThanMs: number
    limit: number
  }): Promise<{ orderId: string; state: CheckoutState }[]>
  stateOf(orderId: string): Promise<CheckoutState | undefined>
}

export type OrderFilter = {
  /** Everybody's when undefined. */
  customerId: string | undefined
  status: OrderStatus | undefined
  /** Only orders placed before this one. */
  before: string | undefined
  limit: number
}

export type OrderStore = {
  find(orderId: string): Promise<Order | undefined>
  /** Newest first. */
  list(filter: OrderFilter): Promise<Order[]>
  /**
   * Locks the order, decides, saves it and its messages in one transaction; undefined when there is
   * no such order.
   */
  update<T>(
    orderId: string,
    decide: (order: Order) => Decision<T>,
  ): Promise<{ order: Order; outcome: T } | undefined>
  /** Unpaid orders whose time was over before that moment, oldest first. */
  findExpired(before: Date, limit: number): Promise<{ orderId: string }[]>
  /** Orders whose cancellation was requested before that moment and is not complete. */
  findToCancel(before: Date, limit: number): Promise<{ orderId: string }[]>
}

export type OrderTokens = {
  /** The token with which a guest sees and cancels this one order; always the same one. */
  issue(order: Order): string
}

export type Deps = {
  carts: Carts
  products: Products
  payments: Payments
  checkouts: CheckoutStore
  orders: OrderStore
  clock: () => Date
  /** A UUIDv7. */
  newId: () => string
  pause: (ms: number) => Promise<void>
  log: {
    warn(fields: object, message: string): void
    error(fields: object, message: string): void
  }
}
