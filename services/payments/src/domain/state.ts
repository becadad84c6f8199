/** Where the money of a payment is; `ended`: it can never come any more. */
export type Phase = 'open' | 'processing' | 'authorized' | 'captured' | 'ended'

export type RefundPhase = 'pending' | 'succeeded' | 'failed'

export type Refund = {
  /** Ours; null for one that was made in the provider's dashboard. */
  id: string | null
  /** Null as long as the provider has not answered. */
  providerId: string | null
  amountMinor: number
  phase: RefundPhase
  reason: string | null
}

export type Dispute = { id: string; amountMinor: number; phase: 'open' | 'won' | 'lost' }

/** What is known of a payment, by us or by the provider. */
export type State = {
  phase: Phase
  capturedMinor: number
  refunds: readonly Refund[]
  disputes: readonly Dispute[]
}

export const openState: State = { phase: 'open', capturedMinor: 0, refunds: [], disputes: [] }

// Money that was taken outweighs every word of an end: the end was told by whoever did not know yet.
const phaseRanks: Readonly<Record<Phase, number>> = {
  open: 0,
  processing: 1,
  authorized: 2,
  ended: 3,
  captured: 4,
}
// A bank may send back what was already counted as returned, never the other way.
const refundRanks: Readonly<Record<RefundPhase, number>> = { pending: 0, succeeded: 1, failed: 2 }
const disputeRanks: Readonly<Record<Dispute['phase'], number>> = { open: 0, won: 1, lost: 2 }

/**
 * What is known after hearing something: idempotent, commutative and associative, so that neither
 * the order nor the repetition of what the provider tells matters. Answers `known` itself when
 * there is nothing new.
 */
export function merge(known: State, seen: State): State {
  const merged: State = {
    phase: higher(phaseRanks, known.phase, seen.phase),
    capturedMinor: Math.max(known.capturedMinor, seen.capturedMinor),
    refunds: mergeBy(known.refunds, seen.refunds, keyOf, mergeRefund),
    disputes: mergeBy(known.disputes, seen.disputes, ({ id }) => id, mergeDispute),
  }
  return isSameState(known, merged) ? known : merged
}

export function isSameState(a: State, b: State): boolean {
  return JSON.stringify(toCanonical(a)) === JSON.stringify(toCanonical(b))
}

function toCanonical({ phase, capturedMinor, refunds, disputes }: State) {
  return [
    phase,
    capturedMinor,
    refunds.map((each) => [each.id, each.providerId, each.amountMinor, each.phase, each.reason]),
    disputes.map((each) => [each.id, each.amountMinor, each.phase]),
  ]
}

function mergeRefund(a: Refund, b: Refund): Refund {
  return {
    id: larger(a.id, b.id),
    providerId: larger(a.providerId, b.providerId),
    amountMinor: Math.max(a.amountMinor, b.amountMinor),
    phase: higher(refundRanks, a.phase, b.phase),
    reason: larger(a.reason, b.reason),
  }
}

function mergeDispute(a: Dispute, b: Dispute): Dispute {
  const amountMinor = Math.max(a.amountMinor, b.amountMinor)
  return { id: a.id, amountMinor, phase: higher(disputeRanks, a.phase, b.phase) }
}

/** By our id where there is one: the provider keeps it with the refund. */
function keyOf({ id, providerId }: Refund): string {
  return id ?? providerId ?? ''
}

/** Each key once, in the order of the keys. */
function mergeBy<T>(
  known: readonly T[],
  seen: readonly T[],
  keyOfItem: (item: T) => string,
  mergeItem: (a: T, b: T) => T,
): readonly T[] {
  const byKey = new Map(known.map((item) => [keyOfItem(item), item]))
  for (const item of seen) {
    const key = keyOfItem(item)
    const present = byKey.get(key)
    byKey.set(key, present ? mergeItem(present, item) : item)
  }
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item)
}

function higher<T extends string>(ranks: Readonly<Record<T, number>>, a: T, b: T): T {
  return ranks[a] >= ranks[b] ? a : b
}

function larger(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b
  return a >= b ? a : b
}

/** Captured money that is neither returned, nor on its way back, nor lost. */
export function returnableMinor({ capturedMinor, refunds, disputes }: State): number {
  const returned = sumOf(refunds.filter(({ phase }) => phase !== 'failed'))
  const lost = sumOf(disputes.filter(({ phase }) => phase === 'lost'))
  return Math.max(0, capturedMinor - returned - lost)
}

export function isDisputed({ disputes }: State): boolean {
  return disputes.some(({ phase }) => phase === 'open')
}

/** Refunds that were recorded, and of which the provider has not told yet. */
export function unansweredRefunds({ refunds }: State): readonly OwnRefund[] {
  return refunds.filter(isOwn).filter(isUnanswered)
}

export type OwnRefund = Refund & { id: string }

function isOwn(refund: Refund): refund is OwnRefund {
  return refund.id !== null
}

function isUnanswered({ providerId, phase }: Refund): boolean {
  return providerId === null && phase === 'pending'
}

function sumOf(items: readonly { amountMinor: number }[]): number {
  return items.reduce((sum, { amountMinor }) => sum + amountMinor, 0)
}
