import type { FormObject } from '../form.ts'
import { byCharge, type Table } from '../objects.ts'
import { parseSession } from '../session-parameters.ts'
import type { Cause, Deps } from '../use-cases/deps.ts'
import { answerDispute, endDispute } from '../use-cases/disputes.ts'
import { cancelPayment, capturePayment } from '../use-cases/payments.ts'
import { cancelRefund, createRefund, updateRefund } from '../use-cases/refunds.ts'
import { createSession, expireSession } from '../use-cases/sessions.ts'
import {
  parseCancellation,
  parseCapture,
  parseEvidence,
  parseMetadata,
  parseNothing,
  parseRefund,
} from './parameters.ts'

type Create = (deps: Deps, form: FormObject, cause: Cause) => object
type Act = (deps: Deps, call: { id: string; form: FormObject }, cause: Cause) => object

export type Resource = {
  table: Table
  /** As the missing object and its parameter are called in the error. */
  label: string
  param: string
  filters: { [parameter: string]: string }
  create?: Create
  update?: Act
  actions?: { [name: string]: Act }
}

const resources: { [path: string]: Resource } = {
  'checkout/sessions': {
    table: { name: 'objects', kind: 'checkout.session' },
    label: 'checkout.session',
    param: 'session',
    filters: { payment_intent: 'intent = ?', status: `json_extract(body, '$.status') = ?` },
    create: (deps, form) => createSession(deps, parseSession(form)),
    actions: {
      expire: (deps, { id, form }, cause) => {
        parseNothing(form)
        return expireSession(deps, id, cause)
      },
    },
  },
  payment_intents: {
    table: { name: 'objects', kind: 'payment_intent' },
    label: 'payment_intent',
    param: 'intent',
    filters: {},
    actions: {
      capture: (deps, { id, form }, cause) =>
        capturePayment(deps, { intentId: id, ...parseCapture(form) }, cause),
      cancel: (deps, { id, form }, cause) =>
        cancelPayment(deps, { intentId: id, ...parseCancellation(form) }, cause),
    },
  },
  charges: {
    table: { name: 'objects', kind: 'charge' },
    label: 'charge',
    param: 'charge',
    filters: { payment_intent: 'intent = ?' },
  },
  refunds: {
    table: { name: 'objects', kind: 'refund' },
    label: 'refund',
    param: 'refund',
    filters: { payment_intent: 'intent = ?', charge: byCharge },
    create: (deps, form, cause) => createRefund(deps, parseRefund(form), cause),
    update: (deps, { id, form }, cause) =>
      updateRefund(deps, { refundId: id, ...parseMetadata(form) }, cause),
    actions: {
      cancel: (deps, { id, form }) => {
        parseNothing(form)
        return cancelRefund(deps, id)
      },
    },
  },
  disputes: {
    table: { name: 'objects', kind: 'dispute' },
    label: 'dispute',
    param: 'dispute',
    filters: { payment_intent: 'intent = ?', charge: byCharge },
    update: (deps, { id, form }, cause) =>
      answerDispute(deps, { disputeId: id, ...parseEvidence(form) }, cause),
    actions: {
      close: (deps, { id, form }, cause) => {
        parseNothing(form)
        return endDispute(deps, { disputeId: id, outcome: 'lost' }, cause)
      },
    },
  },
  events: {
    table: { name: 'events' },
    label: 'event',
    param: 'id',
    filters: {
      type: 'type = ?',
      delivery_success: `(state NOT IN ('waiting', 'failed')) = (? = 'true')`,
    },
  },
}

export type Route = {
  name: string
  resource: Resource | undefined
  id: string | undefined
  action: string | undefined
}

/** The parts of `/v1/checkout/sessions/cs_1/expire`; without a resource when there is none. */
export function toRoute(path: string): Route {
  const [, , ...segments] = path.split('/')
  const isNested = segments[0] === 'checkout'
  const name = isNested ? `checkout/${segments[1]}` : (segments[0] ?? '')
  const [id, action, ...excess] = segments.slice(isNested ? 2 : 1)
  const isKnown = Object.hasOwn(resources, name) && excess.length === 0
  return { name, resource: isKnown ? resources[name] : undefined, id, action }
}

/** What a call does, as faults name it: `checkout.sessions.create`, `refunds.list`. */
export function operationOf(method: string, path: string): string {
  const { name, id, action } = toRoute(path)
  const isRead = method === 'GET'
  const verb = id === undefined ? (isRead ? 'list' : 'create') : isRead ? 'retrieve' : 'update'
  return `${name.replace('/', '.')}.${action ?? verb}`
}
