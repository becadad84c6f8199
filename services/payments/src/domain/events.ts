import { AppError, type FieldError } from '@halles/kit/errors'
import type { Snapshot } from './payment.ts'

/** Which payment a notification is about, and what it tells by itself. */
export type Notice = {
  /** From what we gave the provider to keep; null where it does not repeat that. */
  paymentId: string | null
  orderId: string | null
  sessionId: string | null
  intentId: string | null
  /** The whole state; null when it has to be read from the provider. */
  seen: Snapshot | null
}

/** A verified notification; `notice` is null when it does not concern a payment. */
export type ProviderEvent = {
  id: string
  type: string
  /** The exact text. */
  payload: string
  notice: Notice | null
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

export type EventOutcome = 'applied' | 'duplicate' | 'ignored'

/** How an event ended; kept, and answered again when the provider repeats it. */
export type Conclusion = { outcome: EventOutcome } | { outcome: 'refused'; refusal: Refusal }

/** The answer to the provider. @throws what the event was refused with. */
export function toReceipt(conclusion: Conclusion): EventOutcome {
  if (conclusion.outcome !== 'refused') return conclusion.outcome
  const { kind, code, message, details, errors } = conclusion.refusal
  throw new AppError(kind, code, message, { details, errors })
}

/** The same for an event that came before: what was applied is not applied again. */
export function toRepeatedReceipt(conclusion: Conclusion): EventOutcome {
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
