import {
  type CancellationReason,
  cancel,
  capture,
  finishDebit,
  notCapturable,
} from '../domain/payments.ts'
import { refused } from '../errors.ts'
import { listOfIntent } from '../objects.ts'
import type { Charge } from '../shapes/charges.ts'
import type { Intent } from '../shapes/intents.ts'
import type { Session } from '../shapes/sessions.ts'
import { type Cause, type Deps, momentOf } from './deps.ts'
import { findMethod, findPayment, mustFind, related } from './find.ts'
import { save } from './save.ts'

export type CaptureRequest = { intentId: string; amount: number | undefined }

export function capturePayment(deps: Deps, request: CaptureRequest, cause: Cause): Intent {
  const intent = mustFind<Intent>(deps, 'payment_intent', { id: request.intentId, param: 'intent' })
  const payment = findPayment(deps, request.intentId)
  if (payment === null) throw notCapturable(intent)
  return save(deps, capture(payment, request.amount, momentOf(deps)), cause)
}

export type CancelRequest = {
  intentId: string
  reason: CancellationReason | 'automatic' | undefined
}

export function cancelPayment(deps: Deps, request: CancelRequest, cause: Cause): Intent {
  const intent = mustFind<Intent>(deps, 'payment_intent', { id: request.intentId, param: 'intent' })
  const charge = related<Charge>(deps.store, 'charge', intent.latest_charge)
  const [session = null] = listOfIntent<Session>(deps.store, 'checkout.session', intent.id)
  const decision = cancel({ session, intent, charge }, request.reason ?? null, momentOf(deps))
  return save(deps, decision, cause)
}

/** The bank answers a direct debit. */
export function settleDebit(
  deps: Deps,
  request: { intentId: string; outcome: 'succeeded' | 'failed' },
  cause: Cause,
): Intent {
  mustFind<Intent>(deps, 'payment_intent', { id: request.intentId, param: 'intent' })
  const payment = findPayment(deps, request.intentId)
  if (payment === null) throw refused('This PaymentIntent waits for no bank.')
  const { method } = findMethod(deps.store, payment.charge.payment_method)
  return save(deps, finishDebit(payment, request.outcome, method), cause)
}
