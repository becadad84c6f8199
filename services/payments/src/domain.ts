import { AppError, type FieldError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'

export type PaymentLine = { title: string; quantity: number; unitAmountMinor: number }

/** What is charged for an order, and until when. Never changed: the provider remembers it too. */
export type Terms = {
  email: string | null
  lines: readonly PaymentLine[]
  amount: Money
  expiresAt: Date
}

/** `created`: the provider was perhaps asked. `open`: there is a page on which to pay. */
export type PaymentStatus = 'created' | 'open' | 'paid' | 'cancelled' | 'refunded'

export type Payment = {
  id: string
  orderId: string
  status: PaymentStatus
  /** Null for an order that was cancelled before its payment was asked for. */
  terms: Terms | null
  session: { id: string; url: string } | null
}

/** The lines that the shopper is shown must be the amount that is charged. */
export function checkTerms({ lines, amount }: Terms): void {
  const sum = lines.reduce((total, line) => total + line.unitAmountMinor * line.quantity, 0)
  const isUsable = lines.length > 0 && lines.every((line) => line.quantity > 0)
  if (isUsable && sum === amount.amountMinor) return
  throw new AppError('invalid', 'PAYMENT_LINES_MISMATCH', 'The lines do not add up to the amount.')
}

/** @throws conflict `PAYMENT_CANCELLED`, `PAYMENT_MISMATCH` when the order has another payment. */
export function checkSameTerms({ status, terms }: Payment, amount: Money): Terms {
  if (status === 'cancelled' || !terms) throw paymentCancelled()
  const isSame =
    terms.amount.amountMinor === amount.amountMinor && terms.amount.currency === amount.currency
  if (isSame) return terms
  throw new AppError(
    'conflict',
    'PAYMENT_MISMATCH',
    'The order has a payment of another amount already.',
  )
}

export function paymentCancelled(): AppError {
  return new AppError('conflict', 'PAYMENT_CANCELLED', 'The payment of this order was cancelled.')
}

/** What the provider says of a payment of ours. */
export type PaymentNotice = {
  outcome: 'paid' | 'expired'
  orderId: string
  paymentId: string
  /** What a refund refers to; null when no money was due. */
  chargeReference: string | null
  amount: Money
}

/** A verified notification; `notice` is null when it does not concern a payment of ours. */
export type ProviderEvent = {
  id: string
  type: string
  /** The exact JSON text. */
  payload: string
  notice: PaymentNotice | null
}

export type Settlement = 'applied' | 'duplicate' | 'refund-due'

/** Why an event is refused for good. */
export type Refusal = {
  kind: 'invalid' | 'not-found' | 'conflict' | 'unprocessable'
  code: string
  message: string
  details: Readonly<Record<string, unknown>>
  errors: readonly FieldError[]
}

/** How an event ended; kept, and answered again when the provider repeats it. */
export type Conclusion =
  | { outcome: 'applied' | 'duplicate' | 'ignored' }
  | { outcome: 'refused'; refusal: Refusal }

/** The answer to the provider. @throws what the event was refused with. */
export function toReceipt(conclusion: Conclusion): 'applied' | 'duplicate' | 'ignored' {
  if (conclusion.outcome !== 'refused') return conclusion.outcome
  const { kind, code, message, details, errors } = conclusion.refusal
  throw new AppError(kind, code, message, { details, errors })
}

/** The same for an event that came before: what was applied is not applied again. */
export function toRepeatedReceipt(conclusion: Conclusion): 'applied' | 'duplicate' | 'ignored' {
  const outcome = toReceipt(conclusion)
  return outcome === 'applied' ? 'duplicate' : outcome
}

/** The refusal that an error stands for; undefined when the provider should try again. */
export function toRefusal(error: unknown): Refusal | undefined {
  if (!(error instanceof AppError)) return undefined
  const { kind, code, message, details, errors } = error
  const isFinal =
    kind === 'invalid' || kind === 'not-found' || kind === 'conflict' || kind === 'unprocessable'
  return isFinal ? { kind, code, message, details, errors } : undefined
}
