import { type Database, sql } from '@halles/kit/database'
import type { Conclusion, Refusal } from '../domain/events.ts'
import type { EventStore, StoredEvent } from '../ports.ts'

type EventRow = { outcome: Conclusion['outcome'] | null; problem: Refusal | null }
type ListedRow = {
  id: string
  type: string
  outcome: Conclusion['outcome'] | null
  order_id: string | null
  attempts: number
  last_failure: string | null
  received_at: Date
}

const receiveEvent = sql(
  'payments.receive_event',
  `insert into provider_events (id, type, body) values ($1, $2, $3)
   on conflict (id) do update set attempts = provider_events.attempts + 1
   returning outcome, problem`,
)
// What orders knows is kept with the event that told it: one statement on the way of every payment.
const concludeEvent = sql(
  'payments.conclude_event',
  `with settled as (
     update payments set settled_revision = $6 where id = $4 and settled_revision < $6
   )
   update provider_events
   set outcome = $2, problem = $3, payment_id = $4, order_id = $5, last_failure = null,
     concluded_at = now()
   where id = $1 and (outcome is null or outcome = 'refused')`,
)
const recordFailure = sql(
  'payments.record_event_failure',
  'update provider_events set last_failure = $2 where id = $1 and outcome is null',
)
const selectPayload = sql(
  'payments.select_event_body',
  'select coalesce(body, payload::text) as body from provider_events where id = $1',
)
const listEvents = sql(
  'payments.list_events',
  `select id, type, outcome, order_id, attempts, last_failure, received_at from provider_events
   where ($1::text is null or type = $1)
     and ($2::text is null or coalesce(outcome, 'open') = $2)
     and ($3::timestamptz is null or (received_at, id) < ($3, $4::text))
   order by received_at desc, id desc limit $5`,
)
const pruneEvents = sql(
  'payments.prune_events',
  `delete from provider_events where id in (
     select id from provider_events where outcome is not null and received_at < $1
     order by received_at limit $2)`,
)

export function createEventStore(database: Database): EventStore {
  return {
    async receive({ id, type, payload }) {
      const row = await database.maybe<EventRow>(receiveEvent, [id, type, payload])
      return row && toConclusion(row)
    },
    async conclude(eventId, conclusion, settled) {
      const refusal = conclusion.outcome === 'refused' ? conclusion.refusal : null
      const { paymentId = null, orderId = null, revision = null } = settled ?? {}
      const values = [eventId, conclusion.outcome, refusal, paymentId, orderId, revision]
      await database.run(concludeEvent, values)
    },
    async recordFailure(eventId, code) {
      await database.run(recordFailure, [eventId, code])
    },
    async findPayload(eventId) {
      return (await database.maybe<{ body: string }>(selectPayload, [eventId]))?.body
    },
    async list({ type = null, outcome = null }, { after, limit }) {
      const values = [type, outcome, after?.at ?? null, after?.id ?? null, limit]
      return (await database.query<ListedRow>(listEvents, values)).map(toStoredEvent)
    },
    prune: (before, limit) => database.run(pruneEvents, [before, limit]),
  }
}

function toConclusion({ outcome, problem }: EventRow): Conclusion | undefined {
  if (outcome === null) return undefined
  if (outcome !== 'refused') return { outcome }
  if (!problem) throw new Error('A refused event has no problem.')
  return { outcome, refusal: problem }
}

function toStoredEvent({ id, type, outcome, order_id, attempts, ...row }: ListedRow): StoredEvent {
  const { last_failure: lastFailure, received_at: receivedAt } = row
  return { id, type, outcome, orderId: order_id, attempts, lastFailure, receivedAt }
}
