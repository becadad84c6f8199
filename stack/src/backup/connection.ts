import { toDatabaseError } from '@halles/kit/database-errors'
import { AppError } from '@halles/kit/errors'
import pg from 'pg'

/** A database to keep or to fill: whose it is, and how to enter it. */
export type Store = { part: string; database: string; url: string }

// A server on another continent answers within a second.
const connectTimeoutMs = 10_000
// The largest table of a large shop; whoever waits longer wants the server's own tools.
const statementTimeoutMs = 2 * 3_600_000

/** Connects to a store. Throws `STORE_UNREACHABLE`, which names the store and never its password. */
export async function openStore({ part, database, url }: Store, name: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    // A snapshot waits for its turn while others are copied.
    idle_in_transaction_session_timeout: 0,
    keepAlive: true,
  })
  // What breaks is told to the query under way; without a listener it would end the process.
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const message = `The database ${database} of ${part} cannot be reached: ${why}.`
    throw new AppError('unavailable', 'STORE_UNREACHABLE', message, { cause })
  }
  return client
}

/** Opens a client for each store, does the work and closes them. */
export async function withStores<T>(
  stores: readonly Store[],
  name: string,
  work: (clients: readonly pg.Client[]) => Promise<T>,
): Promise<T> {
  const clients: pg.Client[] = []
  try {
    for (const store of stores) clients.push(await openStore(store, name))
    return await work(clients)
  } catch (error) {
    throw toDatabaseError(error)
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}
