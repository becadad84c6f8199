import type { CaptureMethod, Payment, PaymentLine, ProviderName } from '../domain/payment.ts'
import type { Dispute, Phase, Refund } from '../domain/state.ts'

export type PaymentRow = {
  id: string
  order_id: string
  provider: ProviderName
  capture_method: CaptureMethod
  email: string | null
  lines: PaymentLine[] | null
  amount_minor: number | null
  currency: string | null
  expires_at: Date | null
  session_id: string | null
  redirect_url: string | null
  intent_id: string | null
  is_closed: boolean
  phase: Phase
  captured_minor: number
  refunds: Refund[]
  disputes: Dispute[]
  revision: number
  settled_revision: number
  receipt: Payment['receipt']
}

export function toPayment(row: PaymentRow): Payment {
  const { phase, captured_minor: capturedMinor, refunds, disputes } = row
  return {
    id: row.id,
    orderId: row.order_id,
    provider: row.provider,
    captureMethod: row.capture_method,
    terms: toTerms(row),
    session:
      row.session_id !== null && row.redirect_url !== null
        ? { id: row.session_id, url: row.redirect_url }
        : null,
    intentId: row.intent_id,
    isClosed: row.is_closed,
    state: { phase, capturedMinor, refunds, disputes },
    revision: row.revision,
    settledRevision: row.settled_revision,
    receipt: row.receipt,
  }
}

function toTerms(row: PaymentRow): Payment['terms'] {
  const { email, lines, amount_minor: amountMinor, currency, expires_at: expiresAt } = row
  const hasTerms = lines !== null && amountMinor !== null && currency !== null && expiresAt !== null
  return hasTerms ? { email, lines, amount: { amountMinor, currency }, expiresAt } : null
}
