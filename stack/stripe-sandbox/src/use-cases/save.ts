import type Stripe from 'stripe'
import { apiVersion } from '../api-version.ts'
import type { Decision, EventDraft, Task } from '../domain/decision.ts'
import { saveObject } from '../objects.ts'
import type { Cause, Deps } from './deps.ts'

// A debit that Stripe's test mode lets wait for three minutes instead of settling it at once.
const slowBankFactor = 10

/** Saves what was decided, with its events and what is to happen later, in one commit. */
export function save<T>(deps: Deps, decision: Decision<T>, cause: Cause): T {
  for (const object of decision.saved) {
    const { behaviour } = decision
    const details =
      behaviour !== undefined && object.object === 'payment_method'
        ? JSON.stringify(behaviour)
        : null
    saveObject(deps.store, object, details)
  }
  for (const task of decision.tasks ?? []) saveTask(deps, task)
  for (const draft of decision.events) saveEvent(deps, draft, cause)
  deps.wakeWebhooks()
  if (decision.tasks !== undefined && decision.tasks.length > 0) deps.wakeTasks()
  return decision.outcome
}

function saveEvent(deps: Deps, draft: EventDraft, cause: Cause): void {
  const isSubscribed = deps.isSubscribed(draft.type)
  const at = deps.clock()
  const event = newEvent(draft, cause, {
    id: deps.mint('evt_1'),
    created: Math.floor(at / 1000),
    pendingWebhooks: isSubscribed ? 1 : 0,
  })
  deps.store.write(
    'INSERT INTO events (id, created, type, body, state, next_at) VALUES (?, ?, ?, ?, ?, ?)',
    event.id,
    event.created,
    event.type,
    JSON.stringify(event),
    isSubscribed ? 'waiting' : 'none',
    isSubscribed ? at : null,
  )
}

function newEvent(
  { type, object, previous }: EventDraft,
  cause: Cause,
  fields: { id: string; created: number; pendingWebhooks: number },
) {
  return {
    id: fields.id,
    object: 'event',
    api_version: apiVersion,
    created: fields.created,
    data: { object, ...(previous === undefined ? {} : { previous_attributes: previous }) },
    livemode: false,
    pending_webhooks: fields.pendingWebhooks,
    request: cause,
    type,
    // The draft's own type has already tied its object to its name.
  } satisfies Omit<Stripe.Event, 'type' | 'data'> & { type: string; data: object }
}

function saveTask({ store, clock, bankDelayMs, authorizationMs }: Deps, task: Task): void {
  const delayMs = {
    none: 0,
    bank: bankDelayMs,
    'slow-bank': bankDelayMs * slowBankFactor,
    authorization: authorizationMs,
  }[task.delay]
  store.write(
    'INSERT INTO tasks (kind, object_id, outcome, due_at) VALUES (?, ?, ?, ?)',
    task.kind,
    task.objectId,
    task.outcome,
    clock() + delayMs,
  )
}
