import { createHash } from 'node:crypto'

/** A database, and the one role that may connect to it (besides the superuser). */
export type DatabasePlan = { database: string; role: string; password: string }

/** Identifies a set of databases, to skip creating them when nothing changed. */
export function fingerprint(plans: readonly DatabasePlan[]): string {
  return createHash('sha256').update(JSON.stringify(plans)).digest('hex')
}

const extensions = ['pg_trgm', 'unaccent', 'citext', 'pg_stat_statements']

// Loopback and idle: only a server that hangs takes longer.
const connectTimeoutMs = 10_000
const statementTimeoutMs = 30_000

/** Puts the extensions where every database created afterwards gets them. */
export async function createExtensions(urlOf: (database: string) => string): Promise<void> {
  await withClient(urlOf('template1'), async (run) => {
    for (const extension of extensions) await run(`create extension if not exists ${extension}`)
    await run('revoke connect on database template1 from public')
    await run('revoke connect on database postgres from public')
  })
}

/** Creates the roles and databases that are missing; each role can enter its own database only. */
export async function createDatabases(
  urlOf: (database: string) => string,
  plans: readonly DatabasePlan[],
): Promise<void> {
  await withClient(urlOf('postgres'), async (run) => {
    const roles = await run('select rolname as name from pg_roles')
    const databases = await run('select datname as name from pg_database')
    for (const { database, role, password } of plans) {
      const verb = roles.some(({ name }) => name === role) ? 'alter' : 'create'
      await run(`${verb} role ${quote(role)} login password '${password.replaceAll("'", "''")}'`)
      if (databases.some(({ name }) => name === database)) continue
      await run(`create database ${quote(database)} owner ${quote(role)}`)
      await run(`revoke all on database ${quote(database)} from public`)
    }
  })
}

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}

type Run = (statement: string) => Promise<{ name: unknown }[]>

async function withClient(url: string, work: (run: Run) => Promise<void>): Promise<void> {
  // Loaded only when there is something to create, to keep the parent small.
  const { default: pg } = await import('pg')
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
  })
  await client.connect()
  try {
    await work(async (statement) => (await client.query(statement)).rows)
  } finally {
    await client.end()
  }
}
