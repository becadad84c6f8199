import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import type { ApiObject } from './domain.ts'

export type Kind = ApiObject['object']
export type Range = { gt?: number; gte?: number; lt?: number; lte?: number }
export type Page = {
  limit: number
  startingAfter: string | undefined
  endingBefore: string | undefined
  created: Range
  /** Conditions of our own writing, with their values. */
  where: { condition: string; value: string }[]
}
export type SavedAnswer = { fingerprint: string; status: number; body: string; requestId: string }
export type StoredEvent = { id: string; created: number; type: string; body: string }
export type Attempt = {
  at: number
  status: number | null
  error: string | null
  responseBody: string
  durationMs: number
}

const schema = `
  CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    intent TEXT, expires_at INTEGER, body TEXT NOT NULL, details TEXT);
  CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
  CREATE INDEX IF NOT EXISTS objects_by_intent ON objects (intent, kind) WHERE intent IS NOT NULL;
  CREATE INDEX IF NOT EXISTS objects_by_expiry ON objects (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, created INTEGER NOT NULL, type TEXT NOT NULL,
    body TEXT NOT NULL, state TEXT NOT NULL, failures INTEGER NOT NULL DEFAULT 0, next_at INTEGER);
  CREATE INDEX IF NOT EXISTS events_due ON events (next_at, seq) WHERE next_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS attempts (
    seq INTEGER PRIMARY KEY, event_id TEXT NOT NULL, at INTEGER NOT NULL, status INTEGER,
    error TEXT, response_body TEXT NOT NULL, duration_ms INTEGER NOT NULL);
  CREATE INDEX IF NOT EXISTS attempts_by_event ON attempts (event_id, seq);
  CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, at INTEGER NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, request_id TEXT NOT NULL) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS answers_by_age ON answers (at);
`

export type Store = ReturnType<typeof openStore>

/**
 * Everything that the sandbox remembers, in one SQLite file (in memory without a directory).
 * Reads see every write at once; writes of one turn of the event loop share one commit, and
 * `committed` resolves when they would survive the end of the process.
 */
export function openStore(directory: string | undefined, onFault: (error: unknown) => void) {
  if (directory !== undefined) mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = directory === undefined ? ':memory:' : join(directory, 'stripe-sandbox.sqlite')
  const database = new DatabaseSync(path)
  // One process owns the file: a second one must fail at its start, not corrupt the first.
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = NORMAL')
  database.exec(schema)
  const statements = new Map<string, ReturnType<DatabaseSync['prepare']>>()
  let batch: Promise<void> | null = null

  function prepared(text: string) {
    const known = statements.get(text)
    if (known !== undefined) return known
    const statement = database.prepare(text)
    statements.set(text, statement)
    return statement
  }

  function write(text: string, ...values: SQLInputValue[]): void {
    batch ??= beginBatch()
    prepared(text).run(...values)
  }

  function beginBatch(): Promise<void> {
    database.exec('BEGIN IMMEDIATE')
    const next = new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        try {
          commit()
          resolve()
        } catch (error) {
          reject(error)
        }
      })
    })
    // Not every writer waits for the commit; its failure must be told all the same.
    next.catch(onFault)
    return next
  }

  function commit(): void {
    if (batch === null) return
    batch = null
    try {
      database.exec('COMMIT')
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }

  function get<Row>(text: string, ...values: SQLInputValue[]): Row | undefined {
    return prepared(text).get(...values) as Row | undefined
  }

  function all<Row>(text: string, ...values: SQLInputValue[]): Row[] {
    return prepared(text).all(...values) as Row[]
  }

  return {
    write,
    get,
    all,
    committed: (): Promise<void> => batch ?? Promise.resolve(),
    close(): void {
      commit()
      database.close()
    },
  }
}

export function saveObject(store: Store, object: ApiObject, details: string | null = null): void {
  const isOpen = object.object === 'checkout.session' && object.status === 'open'
  const intent = 'payment_intent' in object ? object.payment_intent : null
  store.write(
    `INSERT INTO objects (id, kind, created, intent, expires_at, body, details)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET intent = excluded.intent, expires_at = excluded.expires_at,
       body = excluded.body, details = coalesce(excluded.details, details)`,
    object.id,
    object.object,
    object.created,
    typeof intent === 'string' ? intent : null,
    isOpen ? object.expires_at : null,
    JSON.stringify(object),
    details,
  )
}

export function findObject<T extends ApiObject>(
  store: Store,
  kind: T['object'],
  id: string,
): { object: T; details: string | null } | undefined {
  const row = store.get<{ body: string; details: string | null }>(
    'SELECT body, details FROM objects WHERE id = ? AND kind = ?',
    id,
    kind,
  )
  return row && { object: JSON.parse(row.body) as T, details: row.details }
}

/** An event's body is saved as it is sent; what is still to be delivered is known when it is read. */
export const eventBody = `json_set(body, '$.pending_webhooks', state = 'waiting')`
const bodyColumns = { objects: 'body', events: eventBody }

/** One page, newest first, as the bodies saved; null when the cursor names nothing of this list. */
export function listBodies(
  store: Store,
  table: { name: 'objects'; kind: Kind } | { name: 'events' },
  page: Page,
): { bodies: string[]; hasMore: boolean } | null {
  const conditions = table.name === 'objects' ? ['kind = ?'] : []
  const values: SQLInputValue[] = table.name === 'objects' ? [table.kind] : []
  const cursor = page.startingAfter ?? page.endingBefore
  const isBackwards = page.startingAfter === undefined && page.endingBefore !== undefined
  if (cursor !== undefined) {
    const text = `SELECT seq FROM ${table.name} WHERE ${[...conditions, 'id = ?'].join(' AND ')}`
    const row = store.get<{ seq: number }>(text, ...values, cursor)
    if (row === undefined) return null
    conditions.push(isBackwards ? 'seq > ?' : 'seq < ?')
    values.push(row.seq)
  }
  const operators = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const
  for (const name of ['gt', 'gte', 'lt', 'lte'] as const) {
    const value = page.created[name]
    if (value === undefined) continue
    conditions.push(`created ${operators[name]} ?`)
    values.push(value)
  }
  for (const { condition, value } of page.where) {
    conditions.push(condition)
    values.push(value)
  }
  const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`
  const rows = store.all<{ body: string }>(
    `SELECT ${bodyColumns[table.name]} AS body FROM ${table.name} ${where} ORDER BY seq ${isBackwards ? 'ASC' : 'DESC'} LIMIT ?`,
    ...values,
    page.limit + 1,
  )
  const bodies = rows.slice(0, page.limit).map((row) => row.body)
  return { bodies: isBackwards ? bodies.reverse() : bodies, hasMore: rows.length > page.limit }
}
