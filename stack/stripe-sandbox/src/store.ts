import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'

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
  CREATE TABLE IF NOT EXISTS tasks (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, object_id TEXT NOT NULL, outcome TEXT NOT NULL,
    due_at INTEGER NOT NULL);
  CREATE INDEX IF NOT EXISTS tasks_due ON tasks (due_at, seq);
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
