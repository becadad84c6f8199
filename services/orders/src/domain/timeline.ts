import { fulfilledQuantity, progressOf, refundedQuantity } from './life-cycle.ts'
import type { Actor, LineQuantity, Order, OrderStatus } from './order.ts'
import {
  type Dispute,
  disputeOf,
  isAllReturned,
  isSecured,
  type PaymentPhase,
  type PaymentStatus,
  paymentStatusOf,
  type RefundStatus,
  refundedMinor,
} from './payment.ts'

/** What happened, before it has a place in the time-line. */
export type EntryDraft = {
  /** `placed`, `paid`, `refund-requested`, … */
  what: string
  /** Amounts, lines and ids; no personal data. */
  details: Readonly<Record<string, unknown>>
}

/** One thing that happened to an order; `status` is the order's after it. */
export type Entry = EntryDraft & {
  seq: number
  at: Date
  actor: Actor
  status: OrderStatus
  cause: string | null
}

/** What a time-line says that an order is. */
export type Replayed = {
  status: OrderStatus
  paymentStatus: PaymentStatus
  capturedMinor: number
  refundedMinor: number
  dispute: Dispute['phase'] | null
  lines: { variantId: string; fulfilledQuantity: number; refundedQuantity: number }[]
}

type KnownFulfilment = { lines: readonly LineQuantity[]; deliveredAt: Date | null }
type KnownRefund = {
  status: RefundStatus
  amountMinor: number
  lines: readonly LineQuantity[]
  unsent: readonly LineQuantity[]
  restocked: readonly LineQuantity[]
}

type Told = {
  lines: readonly LineQuantity[]
  phase: PaymentPhase
  capturedMinor: number
  isCancelled: boolean
  isCancelling: boolean
  fulfilments: Map<string, KnownFulfilment>
  refunds: Map<string, KnownRefund>
  disputes: Map<string, Dispute>
}

/** The details of any entry, as whoever wrote them knows them. */
type Details = {
  lines?: readonly LineQuantity[]
  unsent?: readonly LineQuantity[]
  restocked?: readonly LineQuantity[]
  phase?: PaymentPhase
  capturedMinor?: number
  amountMinor?: number
  fulfilmentId?: string
  refundId?: string
  disputeId?: string
  refunds?: readonly (KnownRefund & { id: string })[]
  isCancelled?: boolean
  isCancelling?: boolean
}

const disputePhases: Readonly<Record<string, Dispute['phase']>> = {
  'dispute-opened': 'open',
  'dispute-won': 'won',
  'dispute-lost': 'lost',
}

/**
 * What the entries of an order, oldest first, make of it: the time-line explains the state when this
 * is what the order says of itself ({@link summarize}).
 */
export function replayTimeline(
  entries: readonly Pick<Entry, 'what' | 'details' | 'at'>[],
): Replayed {
  const told: Told = {
    lines: [],
    phase: 'open',
    capturedMinor: 0,
    isCancelled: false,
    isCancelling: false,
    fulfilments: new Map(),
    refunds: new Map(),
    disputes: new Map(),
  }
  for (const entry of entries) apply(told, entry)
  const cancellation = told.isCancelling ? {} : null
  const { lines, phase, capturedMinor } = told
  const payment = { phase, capturedMinor, disputes: [...told.disputes.values()] }
  const refunds = [...told.refunds.values()]
  const facts = { lines, payment, refunds, cancellation }
  const fulfilments = [...told.fulfilments.values()]
  const status = told.isCancelled
    ? 'cancelled'
    : isAllReturned(facts)
      ? 'refunded'
      : isSecured(facts)
        ? progressOf({ lines, fulfilments, refunds })
        : 'pending_payment'
  return summarizeFacts({ ...facts, fulfilments, status })
}

/** The same of an order as it is. */
export function summarize(order: Order): Replayed {
  return summarizeFacts(order)
}

function summarizeFacts(
  facts: Parameters<typeof paymentStatusOf>[0] &
    Parameters<typeof fulfilledQuantity>[0] &
    Parameters<typeof refundedQuantity>[0] & {
      status: OrderStatus
      lines: readonly LineQuantity[]
    },
): Replayed {
  return {
    status: facts.status,
    paymentStatus: paymentStatusOf(facts),
    capturedMinor: facts.payment.capturedMinor,
    refundedMinor: refundedMinor(facts),
    dispute: disputeOf(facts),
    lines: facts.lines.map(({ variantId }) => ({
      variantId,
      fulfilledQuantity: fulfilledQuantity(facts, variantId),
      refundedQuantity: refundedQuantity(facts, variantId),
    })),
  }
}

function apply(told: Told, { what, details, at }: Pick<Entry, 'what' | 'details' | 'at'>): void {
  const facts = details as Details
  if (what === 'placed') told.lines = facts.lines ?? []
  else if (what === 'adopted') adopt(told, facts)
  else if (what === 'cancellation-requested') told.isCancelling = true
  else if (what === 'cancelled') told.isCancelled = true
  else if (what === 'fulfilled') {
    told.fulfilments.set(facts.fulfilmentId ?? '', { lines: facts.lines ?? [], deliveredAt: null })
  } else if (what === 'delivered') {
    const known = told.fulfilments.get(facts.fulfilmentId ?? '')
    if (known) known.deliveredAt = at
  } else if (what === 'paid' || what.startsWith('payment-')) {
    told.phase = facts.phase ?? told.phase
    told.capturedMinor = facts.capturedMinor ?? told.capturedMinor
  } else if (what.startsWith('refund-')) applyRefund(told, what.slice('refund-'.length), facts)
  else applyDispute(told, what, facts)
}

/** An order that is older than time-lines starts where it was. */
function adopt(told: Told, facts: Details): void {
  told.lines = facts.lines ?? []
  told.phase = facts.phase ?? 'open'
  told.capturedMinor = facts.capturedMinor ?? 0
  told.isCancelled = facts.isCancelled ?? false
  told.isCancelling = facts.isCancelling ?? false
  for (const refund of facts.refunds ?? []) told.refunds.set(refund.id, refund)
}

function applyRefund({ refunds }: Told, word: string, facts: Details): void {
  const known = refunds.get(facts.refundId ?? '')
  refunds.set(facts.refundId ?? '', {
    status: word as RefundStatus,
    amountMinor: facts.amountMinor ?? known?.amountMinor ?? 0,
    lines: facts.lines ?? known?.lines ?? [],
    unsent: facts.unsent ?? known?.unsent ?? [],
    restocked: facts.restocked ?? known?.restocked ?? [],
  })
}

function applyDispute({ disputes }: Told, what: string, facts: Details): void {
  const phase = disputePhases[what]
  if (!phase) return
  const id = facts.disputeId ?? ''
  disputes.set(id, { id, amountMinor: facts.amountMinor ?? 0, phase })
}
