import { isDeepStrictEqual } from 'node:util'
import type { Order } from '../../services/orders/src/domain/order.ts'
import { type Entry, replayTimeline, summarize } from '../../services/orders/src/domain/timeline.ts'
import type { Finding } from '../../services/payments/src/domain/findings.ts'
import type { Payment } from '../../services/payments/src/domain/payment.ts'
import { stateOf, type Truth } from './invariants.ts'

/** The provider, payments and the order say the same of the money. */
export function checkMoney(
  truth: Truth,
  known: { order: Order | undefined; payment: Payment | undefined; isGivenUp: boolean },
): string[] {
  const { order, payment, isGivenUp } = known
  const faults: string[] = []
  if (truth.charges > 1) faults.push(`It was charged ${truth.charges} times.`)
  const views = [
    ...(payment ? [{ who: 'payments', ...payment.state }] : []),
    ...(order ? [{ who: 'orders', ...stateOf(order) }] : []),
  ]
  for (const { who, capturedMinor, refunds, disputes } of views) {
    const want = summaryOf(truth)
    // What was refused was never made there.
    const made = refunds.filter(
      ({ phase, providerId }) => phase !== 'failed' && providerId !== null,
    )
    const have = summaryOf({ capturedMinor, refunds: made, disputes })
    if (!isDeepStrictEqual(have, want)) {
      faults.push(`${who} say ${JSON.stringify(have)}, the provider ${JSON.stringify(want)}.`)
    }
  }
  if (payment && order && payment.settledRevision < payment.revision && !isGivenUp) {
    faults.push('Payments never told orders all of it.')
  }
  return faults
}

function summaryOf(state: {
  capturedMinor: number
  refunds: readonly { amountMinor: number; phase: string }[]
  disputes: readonly { id: string; amountMinor: number; phase: string }[]
}) {
  return {
    captured: state.capturedMinor,
    refunds: state.refunds
      .filter(({ phase }) => phase !== 'failed')
      .map(({ amountMinor, phase }) => `${phase} ${amountMinor}`)
      .sort(),
    disputes: state.disputes
      .map(({ id, amountMinor, phase }) => `${id} ${phase} ${amountMinor}`)
      .sort(),
  }
}

/** A person has been told of money that the provider will not return by itself. */
export function isReported(
  findings: readonly Finding[],
  { disputes, refunds }: Truth,
  payment: Payment,
) {
  const isRefused =
    disputes.some(({ phase }) => phase === 'lost') ||
    [...refunds, ...payment.state.refunds].some(({ phase }) => phase === 'failed')
  return isRefused && findings.some(({ paymentId }) => paymentId === payment.id)
}

function keptMinor({ capturedMinor, refunds, disputes }: Truth): number {
  const back = sumOf(refunds.filter(({ phase }) => phase !== 'failed'))
  const lost = sumOf(disputes.filter(({ phase }) => phase === 'lost'))
  return Math.max(0, capturedMinor - back - lost)
}

export const sumOf = (items: readonly { amountMinor: number }[]) =>
  items.reduce((sum, { amountMinor }) => sum + amountMinor, 0)

/** Nobody keeps money for an order that was never placed. */
export function checkRefused(truth: Truth, state: string, isGivenUp: boolean): string[] {
  const faults = state === 'refused' ? [] : [`A checkout stays ${state}.`]
  if (truth.isHeld) faults.push('Money is held for no order.')
  if (keptMinor(truth) > 0 && !isGivenUp) faults.push('Money was taken for no order.')
  return faults
}

/** What the order has come to is what its money allows. */
export function checkOrder(order: Order, truth: Truth, isGivenUp: boolean): string[] {
  const faults: string[] = []
  const { status } = order
  const isThere = truth.capturedMinor > 0 || truth.isHeld
  if (status === 'pending_payment') faults.push('It waits for its money for ever.')
  if (status === 'cancelled') {
    if (truth.isHeld) faults.push('Money is held for a cancelled order.')
    if (keptMinor(truth) > 0 && !isGivenUp) faults.push('A cancelled order keeps its money.')
  } else if (!isThere) {
    faults.push('It counts as paid without a charge.')
  }
  if (status === 'refunded' && keptMinor(truth) > 0) faults.push('It is refunded and keeps money.')
  const isSent = order.fulfilments.length > 0
  if (isSent && truth.capturedMinor === 0) faults.push('It was sent and nothing was taken for it.')
  return faults
}

/** The time-line explains the state. */
export function checkTimeline(order: Order, entries: readonly Entry[]): string[] {
  const faults: string[] = []
  const told = replayTimeline(entries)
  const is = summarize(order)
  if (!isDeepStrictEqual(told, is)) {
    faults.push(`Its time-line says ${JSON.stringify(told)}, it is ${JSON.stringify(is)}.`)
  }
  const isWhole = entries.every(({ seq }, index) => seq === index + 1)
  if (!isWhole || entries.length !== order.version) faults.push('Its time-line has gaps.')
  if (entries.at(-1)?.status !== order.status) faults.push('Its time-line ends elsewhere.')
  return faults
}
