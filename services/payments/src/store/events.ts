import { type Database, sql } from '@halles/kit/database'
import type { Conclusion, Refusal } from '../domain.ts'
import type { EventStore } from '../ports.ts'

type EventRow = { outcome: Conclusion['outcome'] | null; problem: Refusal | null }

const receiveEvent = sql(
  'payments.receive_event',
  `insert into provider_events (id, type, payload) values ($1, $2, $3)
   on conflict (id) do update set attempts = provider_events.attempts + 1
   returning outcome, problem`,
)
const concludeEvent = sql(
  'payments.conclude_event',
  `update provider_events
   set outcome = $2, problem = $3, last_failure = null, concluded_at = now()
   where id = $1 and outcome is null`,
)
const recordFailure = sql(
  'payments.record_event_failure',
  'update provider_events set last_failure = $2 where id = $1 and outcome is null',
)

export function createEventStore(database: Database): EventStore {
  return {
    async receive({ id, type, payload }) {
      const row = await database.maybe<EventRow>(receiveEvent, [id, type, payload])
      return row && toConclusion(row)
    },
    async conclude(eventId, conclusion) {
      const refusal = conclusion.outcome === 'refused' ? conclusion.refusal : null
      await database.run(concludeEvent, [eventId, conclusion.outcome, refusal])
    },
    async recordFailure(eventId, code) {
      await database.run(recordFailure, [eventId, code])
    },
  }
}

function toConclusion({ outcome, problem }: EventRow): Conclusion | undefined {
  if (outcome === null) return undefined
  if (outcome !== 'refused') return { outcome }
  if (!problem) throw new Error('A refused event has no problem.')
  return { outcome, refusal: problem }
}
