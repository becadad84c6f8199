import pg from 'pg'
import { toDatabaseError } from './database-errors.ts'
import { AppError } from './errors.ts'
import type { Logger } from './logging.ts'

export { isUniqueViolation } from './database-errors.ts'
export { migrate } from './migrations.ts'

/** A named prepared statement; make one with {@link sql}. */
export type Statement = { readonly name: string; readonly text: string }

/** What can be asked of a database, inside or outside a transaction. Values are the `$n` in order. */
export type Queries = {
  /** All rows. The caller bounds them with `limit`. */
  query<R>(statement: Statement, values?: readonly unknown[]): Promise<R[]>
  /** The first row; throws what `orElse` makes when there is none. */
  one<R>(statement: Statement, values: readonly unknown[], orElse: () => Error): Promise<R>
  /** The first row, or undefined. */
  maybe<R>(statement: Statement, values?: readonly unknown[]): Promise<R | undefined>
  /** Runs a change; returns how many rows it touched. */
  run(statement: Statement, values?: readonly unknown[]): Promise<number>
}

/** The queries of one open transaction. */
export type Tx = Queries

export type TransactionOptions = {
  /** READ COMMITTED unless a decision reads rows that it does not lock. */
  isolation?: 'read committed' | 'repeatable read' | 'serializable'
  /**
   * How often the work may run in all when PostgreSQL aborts it for a deadlock or a serialization
   * failure. Default 3: such conflicts are short and a third collision in a row means overload.
   */
  maxAttempts?: number
}

export type Database = Queries & {
  /**
   * Runs the work in one transaction and commits when it resolves. The work may run again after a
   * deadlock, so it must touch nothing but the transaction: no network call, no outer state.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Waits for the queries under way and closes every connection. */
  close(): Promise<void>
  readonly pool: pg.Pool
}

export type DatabaseOptions = {
  url: string
  logger: Logger
  /** Shown in `pg_stat_activity`. */
  applicationName: string
  /** Connections at most. Default 5: they share few cores, and each keeps plans of its own. */
  poolSize?: number
  /** How long one statement may run. Default 5 s: shorter than the edge's patience with a caller. */
  statementTimeoutMs?: number
  /** How long to wait for a connection, queueing included. Default 3 s: then shed the request. */
  connectionTimeoutMs?: number
  /** PostgreSQL ends a transaction that is idle for longer. Default 10 s: its locks block others. */
  idleInTransactionTimeoutMs?: number
  /** More settings of the session, such as `{ synchronous_commit: 'off' }`. */
  settings?: Readonly<Record<string, string>>
}

// PostgreSQL truncates a longer name silently, and two statements would then share one.
const maxNameBytes = 63
// A connection prepares a name once and for all, so the process must agree on what it means.
const declared = new Map<string, string>()

/**
 * Declares a named prepared statement, such as `sql('carts.select_cart', 'select … where id = $1')`.
 * Throws when the name is longer than 63 bytes or already stands for another text.
 */
export function sql(name: string, text: string): Statement {
  if (Buffer.byteLength(name) > maxNameBytes) {
    throw new Error(`The statement name "${name}" is longer than ${maxNameBytes} bytes.`)
  }
  if ((declared.get(name) ?? text) !== text) {
    throw new Error(`The statement name "${name}" already stands for another text.`)
  }
  declared.set(name, text)
  return { name, text }
}

const int8 = 20
// node-postgres knows it, but its type list does not.
const int8Array = 1016 as number
const parseText = pg.types.getTypeParser(int8Array as typeof int8) as unknown as (
  text: string,
) => (string | null)[]

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) {
    throw new RangeError('A bigint column holds a value beyond 2^53.')
  }
  return value
}

const types = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === int8) return parseInt8
    if (oid === int8Array) {
      return (text: string) =>
        parseText(text).map((item) => (item === null ? null : parseInt8(item)))
    }
    return pg.types.getTypeParser(oid, format as 'text')
  },
} as pg.CustomTypesConfig

function toQueries(runner: pg.Pool | pg.PoolClient): Queries {
  async function execute<R>(statement: Statement, values: readonly unknown[] = []) {
    try {
      return await runner.query<R & pg.QueryResultRow>({
        name: statement.name,
        text: statement.text,
        values: values as unknown[],
      })
    } catch (error) {
      throw toDatabaseError(error)
    }
  }
  return {
    query: async <R>(statement: Statement, values?: readonly unknown[]) =>
      (await execute<R>(statement, values)).rows as R[],
    one: async <R>(statement: Statement, values: readonly unknown[], orElse: () => Error) => {
      const row = (await execute<R>(statement, values)).rows[0] as R | undefined
      if (row === undefined) throw orElse()
      return row
    },
    maybe: async <R>(statement: Statement, values?: readonly unknown[]) =>
      (await execute<R>(statement, values)).rows[0] as R | undefined,
    run: async (statement, values) => (await execute(statement, values)).rowCount ?? 0,
  }
}

async function attempt<T>(
  pool: pg.Pool,
  isolation: string,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw toDatabaseError(error)
  })
  let broken: Error | undefined
  try {
    await client.query(`begin isolation level ${isolation}`)
    const result = await work(toQueries(client))
    const { command } = await client.query('commit')
    // COMMIT of a transaction in which a statement failed rolls back without an error.
    if (command !== 'COMMIT') throw new Error('A failed statement in a transaction was ignored.')
    return result
  } catch (error) {
    await client.query('rollback').catch((reason: Error) => {
      broken = reason
    })
    throw toDatabaseError(error)
  } finally {
    // A connection that cannot roll back is not reused.
    client.release(broken)
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof AppError && error.code === 'DATABASE_CONTENTION'
}

// Every statement of ours is prepared and goes by an index whatever its values are, so it is planned
// once per connection. By default PostgreSQL plans many of them again at each call.
const defaultSettings = { plan_cache_mode: 'force_generic_plan' }

/**
 * Opens a pool on PostgreSQL; the first query connects. It survives the server's restart: queries
 * fail with `DATABASE_UNAVAILABLE` while it is away and work again as soon as it is back.
 */
export function createDatabase(options: DatabaseOptions): Database {
  const { url, logger, applicationName } = options
  const statementTimeoutMs = options.statementTimeoutMs ?? 5_000
  const settings = Object.entries({ ...defaultSettings, ...options.settings })
  const pool = new pg.Pool({
    connectionString: url,
    application_name: applicationName,
    max: options.poolSize ?? 5,
    connectionTimeoutMillis: options.connectionTimeoutMs ?? 3_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: statementTimeoutMs,
    // The server ends a slow statement; this ends the wait for a server that no longer answers.
    query_timeout: statementTimeoutMs + 2_000,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? 10_000,
    keepAlive: true,
    types,
    ...(settings.length > 0
      ? { options: settings.map(([name, value]) => `-c ${name}=${value}`).join(' ') }
      : {}),
  })
  // Without a listener, a connection that dies while nobody waits on it would end the process.
  const report = (error: Error) =>
    logger.warn({ reason: error.message }, 'a database connection was lost')
  pool.on('connect', (client) => client.on('error', report))
  pool.on('error', report)
  return {
    ...toQueries(pool),
    async transaction(work, { isolation = 'read committed', maxAttempts = 3 } = {}) {
      for (let tries = 1; ; tries += 1) {
        try {
          return await attempt(pool, isolation, work)
        } catch (error) {
          if (tries >= maxAttempts || !isConflict(error)) throw error
        }
      }
    },
    close: () => pool.end(),
    pool,
  }
}
