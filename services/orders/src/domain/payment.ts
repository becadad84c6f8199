import type { LineQuantity } from './order.ts'

export type PaymentMethod = 'online' | 'bank_transfer'

/** Where the money is; `ended`: it can never come any more. */
export type PaymentPhase = 'open' | 'processing' | 'authorized' | 'captured' | 'ended'

export type Dispute = { id: string; amountMinor: number; phase: 'open' | 'won' | 'lost' }

/** What an order knows of its payment: the newest state that payments told. */
export type Payment = {
  id: string
  method: PaymentMethod
  redirectUrl: string
  expiresAt: Date
  revision: number
  phase: PaymentPhase
  capturedMinor: number
  disputes: readonly Dispute[]
}

export type RefundStatus = 'requested' | 'pending' | 'succeeded' | 'failed'

export type Refund = {
  id: string
  /** False for one that was made at the provider. */
  isOurs: boolean
  /** `requested`: recorded here, not heard of from payments yet. */
  status: RefundStatus
  amountMinor: number
  /** Which pieces it is for; empty for an amount of its own. */
  lines: readonly LineQuantity[]
  /** Whether the pieces come back to the stock. */
  isReturned: boolean
  reason: string | null
  at: Date
  /** Pieces that had not left the house when this was the last of the money: they never will. */
  unsent: readonly LineQuantity[]
  /** What went back to the stock: it stays there even when the refund fails after all. */
  restocked: readonly LineQuantity[]
  /** Why it was refused, for whoever asks again with the same key. */
  problem: { code: string; message: string } | null
}

/** All that payments knows of an order's payment. */
export type PaymentState = {
  paymentId: string
  revision: number
  phase: PaymentPhase
  currency: string
  amountMinor: number
  capturedMinor: number
  refunds: readonly {
    id: string
    isOurs: boolean
    amountMinor: number
    phase: Exclude<RefundStatus, 'requested'>
  }[]
  disputes: readonly Dispute[]
}

export type PaymentStatus =
  | 'pending'
  | 'processing'
  | 'authorized'
  | 'paid'
  | 'partly_refunded'
  | 'refunded'
  | 'cancelled'
  | 'failed'

const ranks: Readonly<Record<PaymentPhase, number>> = {
  open: 0,
  processing: 1,
  authorized: 2,
  ended: 3,
  // Money that came is there, whatever was said of its payment before.
  captured: 4,
}

/** A payment only goes on. */
export function laterPhase(known: PaymentPhase, told: PaymentPhase): PaymentPhase {
  return ranks[told] > ranks[known] ? told : known
}

/** The part of an order that says how its money stands. */
export type MoneyFacts = {
  payment: Pick<Payment, 'phase' | 'capturedMinor' | 'disputes'>
  refunds: readonly Pick<Refund, 'status' | 'amountMinor'>[]
  cancellation: object | null
}

/** What went back to the shopper. */
export function refundedMinor({ refunds }: Pick<MoneyFacts, 'refunds'>): number {
  return sumOf(refunds.filter(({ status }) => status === 'succeeded'))
}

/** What can still be returned: captured, not on its way back, and not lost in a dispute. */
export function refundableMinor({ payment, refunds }: MoneyFacts): number {
  const returned = sumOf(refunds.filter(({ status }) => status !== 'failed'))
  const lost = sumOf(payment.disputes.filter(({ phase }) => phase === 'lost'))
  return Math.max(0, payment.capturedMinor - returned - lost)
}

/** Whether the money is captured or held. */
export function isSecured({ payment }: Pick<MoneyFacts, 'payment'>): boolean {
  return payment.phase === 'authorized' || isCaptured({ payment })
}

export function isCaptured({ payment }: Pick<MoneyFacts, 'payment'>): boolean {
  return payment.phase === 'captured' || payment.capturedMinor > 0
}

export function isAllReturned(facts: MoneyFacts): boolean {
  const { capturedMinor } = facts.payment
  return capturedMinor > 0 && refundedMinor(facts) >= capturedMinor
}

export function paymentStatusOf(facts: MoneyFacts): PaymentStatus {
  const { payment, cancellation } = facts
  if (isCaptured(facts)) {
    if (isAllReturned(facts)) return 'refunded'
    return refundedMinor(facts) > 0 ? 'partly_refunded' : 'paid'
  }
  if (payment.phase === 'ended') return cancellation ? 'cancelled' : 'failed'
  return payment.phase === 'processing' || payment.phase === 'authorized'
    ? payment.phase
    : 'pending'
}

/** The dispute that matters most. */
export function disputeOf({ payment }: Pick<MoneyFacts, 'payment'>): Dispute['phase'] | null {
  const phases = payment.disputes.map(({ phase }) => phase)
  return (['open', 'lost', 'won'] as const).find((phase) => phases.includes(phase)) ?? null
}

function sumOf(items: readonly { amountMinor: number }[]): number {
  return items.reduce((sum, { amountMinor }) => sum + amountMinor, 0)
}
