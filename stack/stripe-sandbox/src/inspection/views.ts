import { parseForm } from '../form.ts'
import { readParameters } from '../parameters.ts'
import type { Attempt, Store } from '../store.ts'

type DeliveryRow = { id: string; type: string; state: string; nextAt: number | null }

// The newest deliveries are what a test or a curious developer asks for.
const pageSize = 100

/** The newest deliveries, or those of an event, a type or a state. */
export function listDeliveries(store: Store, query: string) {
  const parameters = readParameters(parseForm(query))
  const filters = { id: parameters.text('event'), type: parameters.text('type') }
  const state = parameters.oneOf('state', ['waiting', 'delivered', 'failed', 'none'])
  const limit = parameters.integer('limit', { min: 1, max: 1_000 }) ?? pageSize
  parameters.finish()
  const given = Object.entries({ ...filters, state }).filter(([, value]) => value !== undefined)
  const where = given.map(([column]) => `${column} = ?`).join(' AND ')
  const rows = store.all<DeliveryRow>(
    `SELECT id, type, state, next_at AS nextAt FROM events
     ${where === '' ? '' : `WHERE ${where}`} ORDER BY seq DESC LIMIT ?`,
    ...given.map(([, value]) => value ?? ''),
    limit,
  )
  return rows.map(({ id, type, state, nextAt }) => ({
    eventId: id,
    type,
    state,
    nextAttemptAt: nextAt,
    attempts: store.all<Attempt>(
      `SELECT at, status, error, response_body AS responseBody, duration_ms AS durationMs
       FROM attempts WHERE event_id = ? ORDER BY seq LIMIT ?`,
      id,
      pageSize,
    ),
  }))
}

/** How much there is of everything: `waiting` at 0 and no tasks mean that all is settled. */
export function readState(store: Store) {
  const counts = (text: string) =>
    Object.fromEntries(store.all<{ name: string; n: number }>(text).map(({ name, n }) => [name, n]))
  return {
    objects: counts('SELECT kind AS name, count(*) AS n FROM objects GROUP BY kind'),
    deliveries: {
      waiting: 0,
      ...counts('SELECT state AS name, count(*) AS n FROM events GROUP BY state'),
    },
    tasks: store.get<{ n: number }>('SELECT count(*) AS n FROM tasks')?.n ?? 0,
  }
}

type Sums = {
  currency: string
  charges: number
  captured: number
  refunded: number
  disputed: number
}

/** The money that is there, by currency: what was taken less what was given or taken back. */
export function readLedger(store: Store) {
  const sums = store.all<Sums>(
    `SELECT json_extract(body, '$.currency') AS currency,
       sum(kind = 'charge') AS charges,
       sum(iif(kind = 'charge', json_extract(body, '$.amount_captured'), 0)) AS captured,
       sum(iif(kind = 'charge', json_extract(body, '$.amount_refunded')
         - (json_extract(body, '$.amount') - json_extract(body, '$.amount_captured')), 0)) AS refunded,
       sum(iif(kind = 'dispute', json_extract(body, '$.amount'), 0)) AS disputed
     FROM objects
     WHERE (kind = 'charge' AND json_extract(body, '$.captured'))
       OR (kind = 'dispute'
         AND json_extract(body, '$.status') IN ('needs_response', 'under_review', 'lost'))
     GROUP BY currency ORDER BY currency`,
  )
  return sums.map((each) => ({ ...each, net: each.captured - each.refunded - each.disputed }))
}
