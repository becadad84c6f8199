import { apiVersion } from './api-version.ts'
import type { CardEntry, Decline } from './cards.ts'
import {
  type ApiObject,
  type Checkout,
  type Decision,
  expire,
  finishAuthentication,
  type PaymentOutcome,
  refund,
  type SessionDetails,
  submitCard,
} from './domain.ts'
import { invalid, missing, refused } from './errors.ts'
import type { Mint } from './ids.ts'
import type { Metadata } from './parameters.ts'
import type { Charge, Intent, Moment, PaymentMethod, Refund } from './payment-shapes.ts'
import { checkExpiry, type SessionParameters } from './session-parameters.ts'
import { newLineItem, newSession, type Session } from './session-shapes.ts'
import { findObject, type Store, saveObject } from './store.ts'

export type Deps = {
  store: Store
  /** Milliseconds since 1970. */
  clock: () => number
  mint: Mint
  publicUrl: () => string
  minimumSessionSeconds: number
  /** Whether events of this type go to the webhook address. */
  isSubscribed: (type: string) => boolean
  wakeWebhooks: () => void
}

/** Who caused a change; nulls for what happens on the hosted page or by time. */
export type Cause = { id: string | null; idempotency_key: string | null }
const noCause: Cause = { id: null, idempotency_key: null }

type Saved = SessionDetails & { pendingDecline: Decline | null }

const secondsPerDay = 86_400

function moment({ clock, mint }: Deps): Moment {
  return { at: Math.floor(clock() / 1000), mint }
}

export function createSession(deps: Deps, parameters: SessionParameters): Session {
  const now = moment(deps)
  const expiresAt = parameters.expiresAt ?? now.at + secondsPerDay
  checkExpiry(expiresAt, now.at, deps.minimumSessionSeconds)
  const session = newSession(parameters, now, { publicUrl: deps.publicUrl(), expiresAt })
  const lines = parameters.lines.map((line) => newLineItem(line, now))
  const details: Saved = { lines, intent: parameters.intent, pendingDecline: null }
  saveObject(deps.store, session, JSON.stringify(details))
  return session
}

export function expireSession(deps: Deps, sessionId: string, cause: Cause): Session {
  const checkout = findCheckout(deps, sessionId)
  if (checkout === null) throw missing('checkout.session', sessionId, 'session')
  return save(deps, expire(checkout, moment(deps).at), cause)
}

/** Expires up to `limit` sessions whose time is over and says how many there were. */
export function expireDueSessions(deps: Deps, limit: number): number {
  const due = deps.store.all<{ id: string }>(
    'SELECT id FROM objects WHERE expires_at <= ? ORDER BY expires_at LIMIT ?',
    moment(deps).at,
    limit,
  )
  for (const { id } of due) expireSession(deps, id, noCause)
  return due.length
}

/** The session of a hosted page; null when there is none, expired when its time is over. */
export function openCheckout(deps: Deps, sessionId: string): Checkout | null {
  const checkout = findCheckout(deps, sessionId)
  if (checkout === null || checkout.session.status !== 'open') return checkout
  if (checkout.session.expires_at > moment(deps).at) return checkout
  return { ...checkout, session: expireSession(deps, sessionId, noCause) }
}

export function payByCard(
  deps: Deps,
  checkout: Checkout,
  entry: CardEntry & { email: string | null },
): PaymentOutcome {
  const decision = submitCard(checkout, entry, moment(deps))
  const details: Saved = { ...checkout.details, pendingDecline: decision.pendingDecline ?? null }
  return save(deps, decision, noCause, JSON.stringify(details))
}

export function authenticate(
  deps: Deps,
  checkout: Checkout & { intent: Intent; method: PaymentMethod },
  isCompleted: boolean,
): PaymentOutcome {
  return save(deps, finishAuthentication(checkout, isCompleted, moment(deps)), noCause)
}

export type RefundRequest = {
  intentId: string | undefined
  chargeId: string | undefined
  amount: number | undefined
  reason: string | undefined
  metadata: Metadata
}

export function createRefund(deps: Deps, request: RefundRequest, cause: Cause): Refund {
  return save(deps, refund(chargeToRefund(deps, request), request, moment(deps)), cause)
}

function chargeToRefund({ store }: Deps, { intentId, chargeId }: RefundRequest): Charge {
  if (intentId === undefined && chargeId === undefined) {
    const message =
      'One of the following params should be provided for this request: payment_intent or charge.'
    throw invalid(message, { code: 'parameter_missing' })
  }
  const intent =
    intentId === undefined ? undefined : findObject<Intent>(store, 'payment_intent', intentId)
  if (intentId !== undefined && intent === undefined) {
    throw missing('payment_intent', intentId, 'payment_intent')
  }
  const latest = intent?.object.latest_charge
  const id = chargeId ?? (typeof latest === 'string' ? latest : '')
  const charge = findObject<Charge>(store, 'charge', id)?.object
  if (charge === undefined && chargeId !== undefined) throw missing('charge', chargeId, 'charge')
  if (charge?.paid === true && (intentId === undefined || charge.payment_intent === intentId)) {
    return charge
  }
  const message = `This PaymentIntent (${intentId ?? id}) does not have a successful charge to refund.`
  throw refused(message, { code: 'payment_intent_unexpected_state', param: 'payment_intent' })
}

function findCheckout({ store }: Deps, sessionId: string): Checkout | null {
  const found = findObject<Session>(store, 'checkout.session', sessionId)
  if (found === undefined || found.details === null) return null
  const session = found.object
  const { pendingDecline, ...details } = JSON.parse(found.details) as Saved
  const intent = related<Intent>(store, 'payment_intent', session.payment_intent)
  const method = related<PaymentMethod>(store, 'payment_method', intent?.payment_method)
  return { session, details, intent, method, pendingDecline }
}

function related<T extends ApiObject>(store: Store, kind: T['object'], id: unknown): T | null {
  return typeof id === 'string' ? (findObject<T>(store, kind, id)?.object ?? null) : null
}

function save<T>(
  deps: Deps,
  decision: Decision<T>,
  cause: Cause,
  sessionDetails: string | null = null,
): T {
  for (const object of decision.saved) {
    saveObject(deps.store, object, object.object === 'checkout.session' ? sessionDetails : null)
  }
  for (const { type, object, previous } of decision.events) {
    const isSubscribed = deps.isSubscribed(type)
    const at = deps.clock()
    const id = deps.mint('evt_1')
    const event = {
      id,
      object: 'event',
      api_version: apiVersion,
      created: Math.floor(at / 1000),
      livemode: false,
      pending_webhooks: isSubscribed ? 1 : 0,
      request: cause,
      type,
      data: { object, ...(previous === undefined ? {} : { previous_attributes: previous }) },
    }
    deps.store.write(
      'INSERT INTO events (id, created, type, body, state, next_at) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      event.created,
      type,
      JSON.stringify(event),
      isSubscribed ? 'waiting' : 'none',
      isSubscribed ? at : null,
    )
  }
  deps.wakeWebhooks()
  return decision.outcome
}
