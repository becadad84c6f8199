import type {
  Conclusion,
  Payment,
  PaymentNotice,
  ProviderEvent,
  Settlement,
  Terms,
} from './domain.ts'

export type SessionState =
  | { status: 'open' | 'expired' }
  | { status: 'complete'; isPaid: boolean; chargeReference: string | null }

/** The company that takes the money. Every call may be repeated: it is then answered the same. */
export type Provider = {
  /** @throws unavailable `PROVIDER_UNAVAILABLE`; unprocessable `PROVIDER_REFUSED`. */
  createSession(payment: {
    id: string
    orderId: string
    terms: Terms
  }): Promise<{ id: string; url: string }>
  /** Ends a session if it is still open; answers what it is then. */
  expireSession(sessionId: string): Promise<SessionState>
  retrieveSession(sessionId: string): Promise<SessionState>
  /** Returns all of the money; the provider's id for it, null when it was returned before. */
  refund(payment: { id: string; chargeReference: string }): Promise<string | null>
  /** @throws invalid `INVALID_SIGNATURE`, `MALFORMED_EVENT`. */
  verifyEvent(rawBody: Buffer, signature: string | undefined): ProviderEvent
}

export type Orders = {
  /** @throws what orders throws; unavailable when it cannot be reached. */
  settlePayment(notice: PaymentNotice & { providerEventId: string }): Promise<Settlement>
}

export type PaymentStore = {
  /** Saves the payment of an order, or answers the one that it has. */
  create(payment: { id: string; orderId: string; terms: Terms }): Promise<Payment>
  /** Keeps the session; the payment may have been cancelled meanwhile. */
  open(paymentId: string, session: { id: string; url: string }): Promise<Payment>
  /**
   * Makes sure that no payment can be made for the order from now on: one that has no session is
   * cancelled, and an order without one gets a cancelled one. Others are answered as they are.
   */
  close(orderId: string, newPaymentId: string): Promise<Payment>
  /** From `created` or `open` only. */
  recordPaid(paymentId: string): Promise<void>
  recordCancelled(paymentId: string): Promise<void>
  /** From any status. */
  recordRefund(paymentId: string, refundId: string | null): Promise<void>
}

export type EventStore = {
  /** Keeps the event; answers how it ended when it came before and did. */
  receive(event: ProviderEvent): Promise<Conclusion | undefined>
  /** Only the first conclusion counts. */
  conclude(eventId: string, conclusion: Conclusion): Promise<void>
  recordFailure(eventId: string, code: string): Promise<void>
}

export type Deps = {
  provider: Provider
  orders: Orders
  payments: PaymentStore
  events: EventStore
  /** A UUIDv7. */
  newId: () => string
  log: {
    info(fields: object, message: string): void
    warn(fields: object, message: string): void
  }
}
