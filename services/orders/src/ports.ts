import type { CartLine, CheckoutRequest, Refusal } from './domain/checkout.ts'
import type { Decision, LineQuantity, Order, OrderLine, OrderStatus } from './domain/order.ts'
import type { PaymentMethod, PaymentState, Refund } from './domain/payment.ts'
import type { Entry } from './domain/timeline.ts'
import type { Totals, TotalsOf } from './domain/totals.ts'

export type Carts = {
  /** @throws not-found `CART_NOT_FOUND`, also for a cart of somebody else. */
  getLines(cartId: string, subjectId: string | null): Promise<CartLine[]>
}

export type Products = {
  /**
   * Holds all or nothing; the same order gets the same reservation, held for as long as the longest
   * time that was asked for. @throws conflict `OUT_OF_STOCK`, `RESERVATION_RELEASED`.
   */
  reserveStock(request: {
    orderId: string
    lines: readonly LineQuantity[]
    ttlSeconds: number
  }): Promise<OrderLine[]>
  releaseStock(orderId: string): Promise<void>
}

export type PaymentRequest = {
  orderId: string
  email: string | null
  lines: readonly OrderLine[]
  totals: Totals
  method: PaymentMethod
  expiresAt: Date
}

/** All of it may be repeated; what answers a state has not told it to orders. */
export type Payments = {
  /** One payment per order: the same order gets the same payment. */
  createPayment(request: PaymentRequest): Promise<{ paymentId: string; redirectUrl: string }>
  /** Ends the payment of an order for good, returning money that was taken. */
  cancelPayment(orderId: string): Promise<PaymentState>
  /** Takes money that is held. @throws conflict `PAYMENT_NOT_AUTHORIZED`. */
  capturePayment(orderId: string, amountMinor: number): Promise<PaymentState>
  /** @throws conflict `REFUND_TOO_LARGE`, `PAYMENT_DISPUTED`; unprocessable `PROVIDER_REFUSED`. */
  refundPayment(refund: {
    orderId: string
    refundId: string
    amountMinor: number
    reason: string | null
  }): Promise<PaymentState>
  /** Asks the provider how the payment stands. */
  syncPayment(orderId: string): Promise<PaymentState>
  /** @throws conflict `PAYMENT_NOT_MANUAL`, `RECEIPT_MISMATCH`. */
  recordReceipt(receipt: {
    orderId: string
    amountMinor: number
    currency: string
    reference: string
    subjectId: string
  }): Promise<PaymentState>
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
  /** Keeps the lease for another while; false when it was lost. */
  renew(lease: Lease): Promise<boolean>
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
    /** Only this one's. */
    orderId?: string | undefined
  }): Promise<{ orderId: string; state: CheckoutState }[]>
  stateOf(orderId: string): Promise<CheckoutState | undefined>
  /** Forgets checkouts that ended and began before then; returns how many, at most the limit. */
  prune(before: Date, limit: number): Promise<number>
}

/** What an order is looked for by; letters are in lower case. */
export type OrderSearch =
  | { kind: 'id'; id: string }
  | { kind: 'part-of-id'; part: string }
  | { kind: 'email'; begin: string }

/** Orders that were placed in a time. */
export type OrderSummary = {
  days: {
    date: string
    currency: string
    orders: number
    revenueMinor: number
    refundedMinor: number
  }[]
  statuses: { status: OrderStatus; orders: number }[]
  refunds: { status: Refund['status']; refunds: number }[]
  /** Of any time. */
  unpaid: number
}

export type OrderFilter = {
  /** Everybody's when undefined. */
  customerId: string | undefined
  status: OrderStatus | undefined
  search?: OrderSearch | undefined
  /** Placed then or later. */
  from?: Date | undefined
  /** Placed before then. */
  to?: Date | undefined
  minTotalMinor?: number | undefined
  /** Only orders placed before this one. */
  before: string | undefined
  limit: number
}

/** Which orders a job looks at, in the order of their ids: due before then, after that id. */
export type Due = {
  before: Date
  after: string | undefined
  limit: number
  /** Only this one. */
  orderId?: string | undefined
}

export type OrderStore = {
  find(orderId: string): Promise<Order | undefined>
  /** Newest first. */
  list(filter: OrderFilter): Promise<Order[]>
  /** Of orders placed from then and before then, and of all unpaid ones placed before that. */
  summarize(time: { from: Date; to: Date; unpaidBefore: Date }): Promise<OrderSummary>
  /** What happened to an order, oldest first. */
  timeline(orderId: string): Promise<Entry[]>
  /**
   * Locks the order, decides, saves it with its entries and messages in one transaction; undefined
   * when there is no such order.
   */
  update<T>(
    orderId: string,
    decide: (order: Order) => Decision<T>,
  ): Promise<{ order: Order; outcome: T } | undefined>
  /** Unpaid orders whose time was over before that moment and whose money is not on its way. */
  findExpired(due: Due): Promise<{ orderId: string }[]>
  /** Orders whose cancellation was requested before that moment and is not complete. */
  findToCancel(due: Due): Promise<{ orderId: string }[]>
  /** Orders with a refund that was requested before that moment and not told to payments. */
  findToRefund(due: Due): Promise<{ orderId: string }[]>
}

export type UnfinishedKind = 'checkout' | 'compensation' | 'cancellation' | 'refund'

/** Work that stopped half-way and waits for a job. */
export type Unfinished = { kind: UnfinishedKind; orderId: string; since: Date }

export type UnfinishedStore = {
  /** Begun before then, oldest first. */
  list(before: Date, limit: number): Promise<Unfinished[]>
  /** Whether the order has such work. */
  has(orderId: string, before: Date): Promise<boolean>
  count(before: Date): Promise<{ kind: UnfinishedKind; count: number }[]>
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
  unfinished: UnfinishedStore
  totalsOf: TotalsOf
  clock: () => Date
  /** A UUIDv7. */
  newId: () => string
  pause: (ms: number) => Promise<void>
  /** Does something again and again until the returned function is called. */
  repeat: (everyMs: number, work: () => Promise<void>) => () => void
  log: {
    warn(fields: object, message: string): void
    error(fields: object, message: string): void
  }
}
