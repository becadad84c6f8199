import { ApiError, missing } from './errors.ts'
import { parseForm } from './form.ts'
import type { Attempt, Store } from './store.ts'
import type { Webhooks } from './webhooks.ts'

type DeliveryRow = { id: string; type: string; state: string; nextAt: number | null }

// The newest deliveries are what a test or a curious developer asks for.
const pageSize = 100

/** What tests may see and ask of the webhooks; not a part of Stripe's API. */
export async function answerInspection(
  store: Store,
  webhooks: Webhooks,
  call: { method: string; path: string; query: string },
): Promise<string> {
  if (call.method === 'GET' && call.path === '/_sandbox/deliveries') {
    const { event } = parseForm(call.query)
    const deliveries = listDeliveries(store, typeof event === 'string' ? event : null)
    return JSON.stringify({ deliveries })
  }
  const resend = /^\/_sandbox\/deliveries\/(\w+)\/resend$/.exec(call.path)
  if (call.method === 'POST' && resend?.[1] !== undefined) {
    const attempt = await webhooks.resend(resend[1])
    if (attempt === null) throw missing('event', resend[1], 'id')
    return JSON.stringify({ attempt })
  }
  const message = `Unrecognized request URL (${call.method}: ${call.path}).`
  throw new ApiError(404, { type: 'invalid_request_error', message })
}

function listDeliveries(store: Store, eventId: string | null) {
  const columns = 'SELECT id, type, state, next_at AS nextAt FROM events'
  const rows =
    eventId === null
      ? store.all<DeliveryRow>(`${columns} ORDER BY seq DESC LIMIT ?`, pageSize)
      : store.all<DeliveryRow>(`${columns} WHERE id = ?`, eventId)
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
