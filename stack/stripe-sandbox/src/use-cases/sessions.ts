import {
  type Entry,
  expire,
  finishAuthentication,
  type PaymentOutcome,
  submitEntry,
} from '../domain/checkout.ts'
import type { Checkout, SessionDetails } from '../domain/decision.ts'
import { missing } from '../errors.ts'
import { saveObject } from '../objects.ts'
import { checkExpiry, chooseMethods, type SessionParameters } from '../session-parameters.ts'
import type { Intent } from '../shapes/intents.ts'
import type { PaymentMethod } from '../shapes/payment-methods.ts'
import { newLineItem, newSession, type Session } from '../shapes/sessions.ts'
import { type Cause, type Deps, momentOf, noCause } from './deps.ts'
import { findCheckout } from './find.ts'
import { save } from './save.ts'

const secondsPerDay = 86_400

export function createSession(deps: Deps, parameters: SessionParameters): Session {
  const now = momentOf(deps)
  const expiresAt = parameters.expiresAt ?? now.at + secondsPerDay
  checkExpiry(expiresAt, now.at, deps.minimumSessionSeconds)
  const methodTypes = chooseMethods(deps.paymentMethods, parameters)
  const options = { publicUrl: deps.publicUrl(), expiresAt, methodTypes }
  const session = newSession(parameters, now, options)
  const lines = parameters.lines.map((line) => newLineItem(line, now))
  const details: SessionDetails = { lines, intent: parameters.intent }
  saveObject(deps.store, session, JSON.stringify(details))
  return session
}

export function expireSession(deps: Deps, sessionId: string, cause: Cause): Session {
  const checkout = findCheckout(deps, sessionId)
  if (checkout === null) throw missing('checkout.session', sessionId, 'session')
  return save(deps, expire(checkout, momentOf(deps).at), cause)
}

/** Expires up to `limit` sessions whose time is over and says how many there were. */
export function expireDueSessions(deps: Deps, limit: number): number {
  const due = deps.store.all<{ id: string }>(
    'SELECT id FROM objects WHERE expires_at <= ? ORDER BY expires_at LIMIT ?',
    momentOf(deps).at,
    limit,
  )
  for (const { id } of due) expireSession(deps, id, noCause)
  return due.length
}

/** The session of a hosted page; null when there is none, expired when its time is over. */
export function openCheckout(deps: Deps, sessionId: string): Checkout | null {
  const checkout = findCheckout(deps, sessionId)
  if (checkout === null || checkout.session.status !== 'open') return checkout
  if (checkout.session.expires_at > momentOf(deps).at) return checkout
  return { ...checkout, session: expireSession(deps, sessionId, noCause) }
}

export function pay(deps: Deps, checkout: Checkout, entry: Entry): PaymentOutcome {
  return save(deps, submitEntry(checkout, entry, momentOf(deps)), noCause)
}

export function authenticate(
  deps: Deps,
  checkout: Checkout & { intent: Intent; method: PaymentMethod },
  isCompleted: boolean,
): PaymentOutcome {
  return save(deps, finishAuthentication(checkout, isCompleted, momentOf(deps)), noCause)
}
