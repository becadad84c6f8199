import type { Attempt, Store, StoredEvent } from '../store.ts'

export type WaitingEvent = StoredEvent & { failures: number }

export function findEvent(store: Store, id: string): WaitingEvent | undefined {
  return store.get('SELECT id, created, type, body, failures FROM events WHERE id = ?', id)
}

export function recordAttempt(store: Store, eventId: string, attempt: Attempt): void {
  store.write(
    'INSERT INTO attempts (event_id, at, status, error, response_body, duration_ms) VALUES (?, ?, ?, ?, ?, ?)',
    eventId,
    attempt.at,
    attempt.status,
    attempt.error,
    attempt.responseBody,
    attempt.durationMs,
  )
}

export function markDelivered(store: Store, id: string): void {
  store.write(`UPDATE events SET state = 'delivered', next_at = NULL WHERE id = ?`, id)
}

export function postponeEvent(store: Store, id: string, untilMs: number): void {
  store.write('UPDATE events SET next_at = ? WHERE id = ?', untilMs, id)
}

/** Counts a failure; without a next time the event is given up. */
export function markFailed(store: Store, id: string, nextAtMs: number | null): void {
  store.write(
    'UPDATE events SET failures = failures + 1, state = ?, next_at = ? WHERE id = ?',
    nextAtMs === null ? 'failed' : 'waiting',
    nextAtMs,
    id,
  )
}
