import type { Store } from './store.ts'

export type Limits = { maxObjects: number; maxEvents: number }

/**
 * Two thousand purchases of a replayed month, or ten thousand random histories of a few payments
 * each, fit several times over; beyond that the oldest go, and the file stays near a gigabyte.
 */
export const defaultLimits: Limits = { maxObjects: 250_000, maxEvents: 250_000 }

// As long as Stripe shows events, and as long as it promises to remember idempotency keys.
const eventAgeMs = 30 * 86_400_000
const answerAgeMs = 24 * 3_600_000
// What one pass may delete without holding up a request for longer than some milliseconds.
const batch = 2_000

/** Forgets the oldest of what is over; what is open, under way or not delivered stays. */
export function pruneStore(store: Store, limits: Limits, nowMs: number): void {
  const oldEvents = cutOf(store, 'events', limits.maxEvents)
  const before = Math.floor((nowMs - eventAgeMs) / 1000)
  const gone = store.all<{ id: string }>(
    `SELECT id FROM (SELECT id, seq, created, next_at FROM events ORDER BY seq LIMIT ?)
     WHERE (seq <= ? OR created < ?) AND next_at IS NULL`,
    batch,
    oldEvents,
    before,
  )
  for (const { id } of gone) {
    store.write('DELETE FROM attempts WHERE event_id = ?', id)
    store.write('DELETE FROM events WHERE id = ?', id)
  }
  store.write(
    `DELETE FROM objects WHERE seq IN (
       SELECT seq FROM objects WHERE seq <= ? AND expires_at IS NULL
         AND id NOT IN (SELECT object_id FROM tasks) ORDER BY seq LIMIT ?)`,
    cutOf(store, 'objects', limits.maxObjects),
    batch,
  )
  store.write(
    'DELETE FROM answers WHERE key IN (SELECT key FROM answers WHERE at < ? ORDER BY at LIMIT ?)',
    nowMs - answerAgeMs,
    batch,
  )
}

/** The newest row that is one too many; rows are numbered without gaps but for what was deleted. */
function cutOf(store: Store, table: 'objects' | 'events', limit: number): number {
  const last = store.get<{ seq: number }>(`SELECT seq FROM ${table} ORDER BY seq DESC LIMIT 1`)
  return (last?.seq ?? 0) - limit
}
