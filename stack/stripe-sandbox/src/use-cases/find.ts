import { approved, type Behaviour } from '../cards.ts'
import type { ApiObject, Checkout, Payment, SessionDetails } from '../domain/decision.ts'
import { keepsMoney } from '../domain/disputes.ts'
import { missing } from '../errors.ts'
import { findObject, listOfIntent } from '../objects.ts'
import type { Charge } from '../shapes/charges.ts'
import type { Dispute } from '../shapes/disputes.ts'
import type { Intent } from '../shapes/intents.ts'
import type { PaymentMethod } from '../shapes/payment-methods.ts'
import type { Session } from '../shapes/sessions.ts'
import type { Store } from '../store.ts'
import type { Deps } from './deps.ts'

export function findCheckout({ store }: Deps, sessionId: string): Checkout | null {
  const found = findObject<Session>(store, 'checkout.session', sessionId)
  if (found === undefined || found.details === null) return null
  const session = found.object
  const details = JSON.parse(found.details) as SessionDetails
  const intent = related<Intent>(store, 'payment_intent', session.payment_intent)
  const { method, behaviour } = findMethod(store, intent?.payment_method)
  return { session, details, intent, method, behaviour }
}

/** The intent with its newest charge; both are needed for whatever can be done with money. */
export function findPayment({ store }: Deps, intentId: string): Payment | null {
  const intent = findObject<Intent>(store, 'payment_intent', intentId)?.object
  if (intent === undefined) return null
  const charge = related<Charge>(store, 'charge', intent.latest_charge)
  if (charge === null) return null
  const [session = null] = listOfIntent<Session>(store, 'checkout.session', intentId)
  const disputes = charge.disputed ? listOfIntent<Dispute>(store, 'dispute', intentId) : []
  const { behaviour } = findMethod(store, charge.payment_method)
  return { session, intent, charge, behaviour, hasOpenDispute: disputes.some(keepsMoney) }
}

export function findMethod(
  store: Store,
  id: unknown,
): { method: PaymentMethod | null; behaviour: Behaviour } {
  const found =
    typeof id === 'string' ? findObject<PaymentMethod>(store, 'payment_method', id) : undefined
  const details = found?.details ?? null
  const behaviour = details === null ? approved : (JSON.parse(details) as Behaviour)
  return { method: found?.object ?? null, behaviour }
}

export function mustFind<T extends ApiObject>(
  { store }: Deps,
  kind: T['object'],
  named: { id: string; param: string },
): T {
  const found = findObject<T>(store, kind, named.id)
  if (found === undefined) throw missing(kind, named.id, named.param)
  return found.object
}

export function related<T extends ApiObject>(
  store: Store,
  kind: T['object'],
  id: unknown,
): T | null {
  return typeof id === 'string' ? (findObject<T>(store, kind, id)?.object ?? null) : null
}
