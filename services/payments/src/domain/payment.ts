import { AppError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'
import {
  isDisputed,
  isSameState,
  merge,
  type OwnRefund,
  type Phase,
  type Refund,
  returnableMinor,
  type State,
} from './state.ts'

export type PaymentLine = { title: string; quantity: number; unitAmountMinor: number }

export type ProviderName = 'stripe' | 'bank-transfer'
/** `manual`: the money is held first, and taken by a capture. */
export type CaptureMethod = 'automatic' | 'manual'

/** What is charged for an order, and until when. Never changed: the provider remembers it too. */
export type Terms = {
  email: string | null
  lines: readonly PaymentLine[]
  amount: Money
  expiresAt: Date
}

export type Payment = {
  id: string
  orderId: string
  provider: ProviderName
  captureMethod: CaptureMethod
  /** Null for an order that was cancelled before its payment was asked for. */
  terms: Terms | null
  /** The page on which to pay; null as long as the provider has not answered. */
  session: { id: string; url: string } | null
  /** The provider's name of the money that moves, once it is known. */
  intentId: string | null
  /** Whether it must end: nothing may be paid, and what was paid goes back. */
  isClosed: boolean
  state: State
  /** Grows by one with each change of the state. */
  revision: number
  /** Up to which revision orders has been told. */
  settledRevision: number
  receipt: Receipt | null
}

/** What a person saw of money that arrived. */
export type Receipt = { reference: string; subjectId: string; at: string }

/** What the provider says of a payment now. */
export type Snapshot = {
  state: State
  /** What it is for; null when the provider was not asked for that. */
  amount: Money | null
  intentId: string | null
}

/** The lines that the shopper is shown must be the amount that is charged. */
export function checkTerms({ lines, amount }: Terms): void {
  const sum = lines.reduce((total, line) => total + line.unitAmountMinor * line.quantity, 0)
  const isUsable = lines.length > 0 && lines.every((line) => line.quantity > 0)
  if (isUsable && sum === amount.amountMinor) return
  throw new AppError('invalid', 'PAYMENT_LINES_MISMATCH', 'The lines do not add up to the amount.')
}

/** @throws conflict `PAYMENT_CANCELLED`, `PAYMENT_MISMATCH` when the order has another payment. */
export function checkSameTerms(
  { isClosed, terms, provider }: Payment,
  asked: { amount: Money; provider: ProviderName },
): Terms {
  if (isClosed || !terms) throw paymentCancelled()
  if (isSameMoney(terms.amount, asked.amount) && provider === asked.provider) return terms
  throw paymentMismatch('The order has a payment of another amount or method already.')
}

export function isSameMoney(a: Money, b: Money): boolean {
  return a.amountMinor === b.amountMinor && a.currency === b.currency
}

export function paymentMismatch(message: string): AppError {
  return new AppError('conflict', 'PAYMENT_MISMATCH', message)
}

export function paymentCancelled(): AppError {
  return new AppError('conflict', 'PAYMENT_CANCELLED', 'The payment of this order was cancelled.')
}

export function paymentNotFound(): AppError {
  return new AppError('not-found', 'PAYMENT_NOT_FOUND', 'There is no such payment.')
}

export function paymentDisputed(): AppError {
  const message = 'The bank decides on a dispute; the money cannot be returned before.'
  return new AppError('conflict', 'PAYMENT_DISPUTED', message)
}

export function paymentProcessing(): AppError {
  const message = 'The provider has not decided on this payment yet. Try again later.'
  return new AppError('conflict', 'PAYMENT_PROCESSING', message)
}

function refundTooLarge(): AppError {
  const message = 'More than what is left of the payment cannot be returned.'
  return new AppError('conflict', 'REFUND_TOO_LARGE', message)
}

/** @throws conflict `PAYMENT_MISMATCH` when the provider speaks of another amount or currency. */
export function learn(payment: Payment, { state, amount, intentId }: Snapshot): Payment {
  if (amount && payment.terms && !isSameMoney(amount, payment.terms.amount)) {
    throw paymentMismatch('The provider knows another amount for this payment.')
  }
  const changed = withState(payment, merge(payment.state, state))
  const isNewIntent = intentId !== null && payment.intentId === null
  return isNewIntent ? { ...changed, intentId } : changed
}

/** The only place where the revision grows. */
function withState(payment: Payment, state: State): Payment {
  if (isSameState(payment.state, state)) return payment
  return { ...payment, state, revision: payment.revision + 1 }
}

/**
 * Records a refund before the provider is asked for it; one that is recorded already changes nothing.
 * @throws conflict `PAYMENT_NOT_CAPTURED`, `PAYMENT_DISPUTED`, `REFUND_TOO_LARGE`, `REFUND_MISMATCH`.
 */
export function requestRefund(
  payment: Payment,
  asked: { id: string; amountMinor: number; reason: string | null },
): Payment {
  const { state } = payment
  const recorded = refundOf(payment, asked.id)
  if (recorded) {
    if (recorded.amountMinor === asked.amountMinor) return payment
    const message = 'The refund was asked for with another amount before.'
    throw new AppError('conflict', 'REFUND_MISMATCH', message)
  }
  if (state.phase !== 'captured') {
    const message = 'Nothing was taken that could be returned.'
    throw new AppError('conflict', 'PAYMENT_NOT_CAPTURED', message)
  }
  if (isDisputed(state)) throw paymentDisputed()
  if (asked.amountMinor > returnableMinor(state)) throw refundTooLarge()
  return addRefund(payment, { ...asked, providerId: null, phase: 'pending' })
}

// Banks that keep sending money back, or a provider that keeps refusing, need a person.
const maxFailedReturns = 5

/** Whether all of the money can be asked back at this moment. */
export function canReturn(payment: Payment): boolean {
  const { state } = payment
  return !isDisputed(state) && returnableMinor(state) > 0 && !isGivenUp(payment)
}

/** Whether its money was refused or sent back so often that nobody asks for it any more. */
export function isGivenUp({ state }: Payment): boolean {
  return state.refunds.filter(({ phase }) => phase === 'failed').length >= maxFailedReturns
}

/** Records a refund of all that is left; nothing changes when nothing is. */
export function requestReturn(payment: Payment, id: string): Payment {
  if (!canReturn(payment)) return payment
  const amountMinor = returnableMinor(payment.state)
  return addRefund(payment, {
    id,
    amountMinor,
    reason: 'The order was cancelled.',
    providerId: null,
    phase: 'pending',
  })
}

function addRefund(payment: Payment, refund: Refund): Payment {
  return withState(payment, merge(payment.state, { ...payment.state, refunds: [refund] }))
}

/** What a refund has become at the provider. */
export function learnRefund(payment: Payment, refund: Refund): Payment {
  return addRefund(payment, refund)
}

/** The provider will never make this refund; one that it made after all stays. */
export function refuseRefund(payment: Payment, refundId: string): Payment {
  const refund = refundOf(payment, refundId)
  if (!refund || refund.providerId !== null) return payment
  return addRefund(payment, { ...refund, phase: 'failed' })
}

export function refundOf({ state }: Payment, refundId: string): OwnRefund | undefined {
  const found = state.refunds.find(({ id }) => id === refundId)
  return found && { ...found, id: refundId }
}

/** Why the provider refused a refund, by what is known of the payment since. */
export function toRefundRefusal({ state }: Payment, amountMinor: number): AppError {
  if (isDisputed(state)) return paymentDisputed()
  if (returnableMinor(state) < amountMinor) return refundTooLarge()
  const message = 'The payment provider does not make this refund.'
  return new AppError('unprocessable', 'PROVIDER_REFUSED', message)
}

/** @throws conflict `PAYMENT_NOT_AUTHORIZED` unless the money is held; false when it is taken. */
export function mustCapture({ state, terms }: Payment, amountMinor: number): boolean {
  if (state.phase === 'captured') return false
  if (state.phase !== 'authorized' || !terms) {
    const message = 'No money is held that could be taken.'
    throw new AppError('conflict', 'PAYMENT_NOT_AUTHORIZED', message)
  }
  if (amountMinor > 0 && amountMinor <= terms.amount.amountMinor) return true
  const message = 'Only an amount up to what is held can be taken.'
  throw new AppError('conflict', 'CAPTURE_TOO_LARGE', message)
}

/** @throws conflict `PAYMENT_NOT_MANUAL`, `RECEIPT_MISMATCH`. */
export function receive(payment: Payment, amount: Money, receipt: Receipt): Payment {
  if (payment.provider !== 'bank-transfer') {
    const message = 'The provider tells by itself what was paid.'
    throw new AppError('conflict', 'PAYMENT_NOT_MANUAL', message)
  }
  if (!payment.terms || !isSameMoney(payment.terms.amount, amount)) {
    const message = 'What arrived is not the amount of the order.'
    throw new AppError('conflict', 'RECEIPT_MISMATCH', message)
  }
  const phase: Phase = 'captured'
  const taken = { phase, capturedMinor: amount.amountMinor, refunds: [], disputes: [] }
  const changed = withState(payment, merge(payment.state, taken))
  return changed === payment ? payment : { ...changed, receipt }
}

/** Whether orders knows all that we do. */
export function isSettled({ revision, settledRevision }: Payment): boolean {
  return settledRevision >= revision
}
