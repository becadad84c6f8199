import type { Conclusion, ProviderEvent, Settlement } from './domain/events.ts'
import type { Finding, FindingKind, Listed } from './domain/findings.ts'
import type { CaptureMethod, Payment, ProviderName, Snapshot, Terms } from './domain/payment.ts'
import type { OwnRefund, Refund } from './domain/state.ts'

/** By what the provider knows a payment of ours. */
export type References = {
  paymentId: string
  orderId: string
  sessionId: string
  intentId: string | null
  currency: string
}

export type Window = { from: Date; to: Date }

/**
 * Who takes the money. Every call may be repeated, after any answer and after none.
 * @throws unavailable `PROVIDER_UNAVAILABLE` when it may work later; unprocessable
 *   `PROVIDER_REFUSED` when never; not-found `PROVIDER_PAYMENT_MISSING` for an unknown payment.
 */
export type Provider = {
  /** The same session for the same payment. */
  createSession(payment: {
    id: string
    orderId: string
    terms: Terms
    captureMethod: CaptureMethod
  }): Promise<{ id: string; url: string }>
  /** How the payment stands, refunds and disputes included. */
  read(payment: References): Promise<Snapshot>
  /** Ends the time to pay, if it is not over; answers how the payment stands then. */
  expire(payment: References): Promise<Snapshot>
  /** Takes money that is held, if it still is. */
  capture(payment: References, amountMinor: number): Promise<Snapshot>
  /** Lets go money that is held, if it still is. */
  release(payment: References): Promise<Snapshot>
  /** The same refund for the same id; looks for one that may have been made when it is asked again. */
  refund(payment: References, refund: OwnRefund & { isRepeated: boolean }): Promise<Refund>
  /** Payments that were made in the window, newest first, page by page. */
  listPayments(
    window: Window,
    after: string | null,
  ): Promise<{ items: readonly Listed[]; next: string | null }>
}

/** A provider that tells by itself what happens. */
export type NotifyingProvider = Provider & {
  /** @throws invalid `INVALID_SIGNATURE`, `MALFORMED_EVENT`. */
  verifyEvent(rawBody: Buffer, signature: string | undefined): ProviderEvent
  /** An event that was verified when it came. */
  readEvent(payload: string): ProviderEvent
  /** Events of the window that have not been accepted here yet, newest first, page by page. */
  listMissedEvents(
    window: Window,
    after: string | null,
  ): Promise<{ items: readonly ProviderEvent[]; next: string | null }>
  /** The payment of ours that money belongs to; null when it is none of ours. */
  identify(intentId: string): Promise<string | null>
}

export type Providers = { stripe: NotifyingProvider } & Readonly<Record<ProviderName, Provider>>

export type Orders = {
  /** @throws what orders throws; unavailable when it cannot be reached. */
  settlePayment(payment: Payment, cause: string): Promise<Settlement>
}

export type NewPayment = {
  id: string
  orderId: string
  provider: ProviderName
  captureMethod: CaptureMethod
  terms: Terms
}

export type PaymentStore = {
  /** Saves the payment of an order, or answers the one that it has. */
  create(payment: NewPayment): Promise<Payment>
  /** Keeps the session; the payment may have been closed meanwhile. */
  open(paymentId: string, session: { id: string; url: string }): Promise<Payment>
  /**
   * Marks that the payment must end. One without a session has ended with that, and an order without
   * a payment gets one that has.
   */
  close(orderId: string, newPaymentId: string): Promise<Payment>
  findById(paymentId: string): Promise<Payment | undefined>
  findByOrder(orderId: string): Promise<Payment | undefined>
  findByIntent(intentId: string): Promise<Payment | undefined>
  findByRefund(refundId: string): Promise<Payment | undefined>
  findBySessions(sessionIds: readonly string[]): Promise<Payment[]>
  /**
   * Decides and saves what changed: first on what the caller knows, and again, under the row's lock,
   * on the newest state when that was not it. `decide` answers its argument when there is nothing to
   * do; it must not do so for an older state when it would not for a newer one.
   */
  update(known: Payment, decide: (payment: Payment) => Payment): Promise<Payment>
  /** Orders knows the payment up to this revision. */
  recordSettled(paymentId: string, revision: number): Promise<void>
  /** Marks that these were compared with the provider. */
  recordCompared(paymentIds: readonly string[], at: Date): Promise<void>
  /**
   * Payments not compared since `before` that were made in the window, or whose end is not known,
   * not told or not done, longest not compared first.
   */
  findToCompare(search: Window & { before: Date; limit: number }): Promise<Payment[]>
}

/** An event as operators see it. */
export type StoredEvent = {
  id: string
  type: string
  outcome: Conclusion['outcome'] | null
  orderId: string | null
  attempts: number
  lastFailure: string | null
  receivedAt: Date
}

export type EventFilter = { type?: string | undefined; outcome?: string | undefined }
export type Position = { at: Date; id: string }

export type EventStore = {
  /** Keeps the event; answers how it ended when it came before and did. */
  receive(event: ProviderEvent): Promise<Conclusion | undefined>
  /**
   * Only the first conclusion counts, except in place of a refusal. In the same statement it is kept
   * up to which revision orders knows the payment.
   */
  conclude(
    eventId: string,
    conclusion: Conclusion,
    settled: { paymentId: string; orderId: string; revision: number | null } | null,
  ): Promise<void>
  recordFailure(eventId: string, code: string): Promise<void>
  /** The text of an event; undefined when there is none. */
  findPayload(eventId: string): Promise<string | undefined>
  list(filter: EventFilter, page: { after: Position | null; limit: number }): Promise<StoredEvent[]>
  /** Deletes concluded events that came before then, at most so many; answers how many it were. */
  prune(before: Date, limit: number): Promise<number>
}

export type StoredFinding = Finding & { id: string; foundAt: Date }

export type FindingStore = {
  /** Makes the findings of these subjects exactly the given ones; answers those as they are kept. */
  replace(
    subjects: readonly string[],
    findings: readonly Finding[],
    at: Date,
  ): Promise<StoredFinding[]>
  list(page: { after: Position | null; limit: number }): Promise<StoredFinding[]>
  count(): Promise<ReadonlyMap<FindingKind, number>>
}

export type Deps = {
  providers: Providers
  orders: Orders
  payments: PaymentStore
  events: EventStore
  findings: FindingStore
  /** How new payments are captured. */
  captureMethod: CaptureMethod
  clock: () => Date
  /** A UUIDv7. */
  newId: () => string
  log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
    error(fields: object, message: string): void
  }
}
