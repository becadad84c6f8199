import { isSameMoney, type Payment, type Snapshot } from './payment.ts'
import type { State } from './state.ts'

export const findingKinds = [
  'paid-without-order',
  'order-without-payment',
  'amount-mismatch',
  'state-mismatch',
  'refund-to-send',
] as const

export type FindingKind = (typeof findingKinds)[number]

/** A difference that a person has to look at. */
export type Finding = {
  kind: FindingKind
  orderId: string | null
  paymentId: string | null
  providerReference: string | null
  detail: string
}

/** A payment as the provider lists it; what is not ours has no ids of ours. */
export type Listed = {
  paymentId: string | null
  orderId: string | null
  sessionId: string
  snapshot: Snapshot
}

/** What is wrong with a payment of which we know nothing, or another session. */
export function strangerFinding({ orderId, sessionId, snapshot }: Listed): Finding[] {
  if (snapshot.state.capturedMinor === 0) return []
  const detail = 'The provider took money in a session that belongs to no payment of ours.'
  const about = { orderId, paymentId: null, providerReference: sessionId }
  return [{ kind: 'paid-without-order', ...about, detail }]
}

/** What still differs after the provider's word was taken over. */
export function differences(payment: Payment, seen: Snapshot): Finding[] {
  const { terms, state } = payment
  if (seen.amount && terms && !isSameMoney(seen.amount, terms.amount)) {
    const amounts = [seen.amount, terms.amount].map(
      ({ amountMinor, currency }) => `${amountMinor} ${currency}`,
    )
    const detail = `The provider knows ${amounts[0]}, we ${amounts[1]} (in minor units).`
    return [aFinding(payment, 'amount-mismatch', detail)]
  }
  if (state.capturedMinor !== seen.state.capturedMinor) {
    const detail = `The provider took ${seen.state.capturedMinor}, we know of ${state.capturedMinor}.`
    return [aFinding(payment, 'amount-mismatch', detail)]
  }
  const detail = stateDifference(state, seen.state)
  return detail === null ? [] : [aFinding(payment, 'state-mismatch', detail)]
}

function stateDifference(known: State, seen: State): string | null {
  if (known.phase !== seen.phase) return `It is ${seen.phase} there and ${known.phase} here.`
  const seenRefunds = new Map(seen.refunds.map((refund) => [refund.providerId, refund]))
  for (const { providerId, phase, amountMinor } of known.refunds) {
    if (providerId === null) continue
    const there = seenRefunds.get(providerId)
    if (there?.phase === phase && there.amountMinor === amountMinor) continue
    return `The refund ${providerId} is ${there?.phase ?? 'unknown'} there and ${phase} here.`
  }
  const seenDisputes = new Map(seen.disputes.map(({ id, phase }) => [id, phase]))
  for (const { id, phase } of known.disputes) {
    if (seenDisputes.get(id) === phase) continue
    return `The dispute ${id} is ${seenDisputes.get(id) ?? 'unknown'} there and ${phase} here.`
  }
  return null
}

export function aFinding(payment: Payment, kind: FindingKind, detail: string): Finding {
  const { id, orderId, session } = payment
  return { kind, orderId, paymentId: id, providerReference: session?.id ?? null, detail }
}

/** Why orders refuses what we know of a payment, as findings; none when nothing was taken. */
export function refusalFindings(payment: Payment, code: string): Finding[] {
  if (code === 'ORDER_NOT_FOUND') {
    if (payment.state.capturedMinor === 0) return []
    const detail = 'Money was taken for an order that is not there.'
    return [aFinding(payment, 'paid-without-order', detail)]
  }
  const kind = code === 'PAYMENT_MISMATCH' ? 'amount-mismatch' : 'state-mismatch'
  return [aFinding(payment, kind, `The order does not take the payment: ${code}.`)]
}
