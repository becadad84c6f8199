import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import type { Database } from './database.ts'
import { toDatabaseError } from './database-errors.ts'

/** Tables that a part of the kit needs; version n is applied once as `<name>/<n>`. */
export type KitSchema = { name: string; versions: readonly string[] }

export type MigrateOptions = {
  /** Folder of `NNNN_name.sql`, applied in order of their numbers. */
  directory?: string
  /** Schemas of the kit, applied before the folder. */
  schemas?: readonly KitSchema[]
}

type Migration = { name: string; text: string; checksum: string }

const fileName = /^(\d{4})_[a-z0-9_]+\.sql$/
// Any fixed number will do as long as every replica takes the same one.
const lockKey = 4_801_297_310
// Long enough for a replica that waits for another one to build an index.
const statementTimeoutMs = 120_000
// While a change of a table waits for those who use it, everybody else waits behind it: the release
// before still serves, so that must be short.
const lockTimeoutMs = 1_000
// In which they serve those who waited.
const lockPauseMs = 500
// Longer than any transaction of ours lasts.
const lockPatienceMs = 60_000
// https://www.postgresql.org/docs/current/errcodes-appendix.html
const lockNotAvailable = '55P03'

function toMigration(name: string, text: string): Migration {
  return { name, text, checksum: createHash('sha256').update(text).digest('hex') }
}

async function readDirectory(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort()
  const numbers = new Set<string>()
  for (const name of names) {
    const number = fileName.exec(name)?.[1]
    if (number === undefined) {
      throw new Error(`The migration ${name} must be named NNNN_lower_case.sql.`)
    }
    if (numbers.has(number)) throw new Error(`Two migrations have the number ${number}.`)
    numbers.add(number)
  }
  return Promise.all(
    names.map(async (name) => toMigration(name, await readFile(join(directory, name), 'utf8'))),
  )
}

function checkHistory(wanted: readonly Migration[], applied: ReadonlyMap<string, string>): void {
  let missing: string | undefined
  for (const { name, checksum } of wanted) {
    const known = applied.get(name)
    if (known === undefined) {
      if (fileName.test(name)) missing ??= name
      continue
    }
    if (known !== checksum) {
      throw new Error(
        `The migration ${name} was changed after it was applied. Restore it and add a new file.`,
      )
    }
    if (missing !== undefined && fileName.test(name)) {
      throw new Error(
        `The migration ${missing} comes before ${name}, which is applied already. Renumber it.`,
      )
    }
  }
}

async function apply(client: pg.PoolClient, migration: Migration): Promise<void> {
  const triesUntilMs = performance.now() + lockPatienceMs
  while (!(await tryApply(client, migration, performance.now() < triesUntilMs))) {
    await pause(lockPauseMs)
  }
}

/** False when a table was locked for too long and the migration may be tried again. */
async function tryApply(
  client: pg.PoolClient,
  { name, text, checksum }: Migration,
  mayRepeat: boolean,
): Promise<boolean> {
  try {
    await client.query('begin')
    await client.query(`set local lock_timeout = ${lockTimeoutMs}`)
    await client.query(text)
    await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [
      name,
      checksum,
    ])
    await client.query('commit')
    return true
  } catch (error) {
    if (mayRepeat && (error as { code?: string }).code === lockNotAvailable) {
      await client.query('rollback')
      return false
    }
    // The caller drops the connection, and the transaction with it.
    throw new Error(`The migration ${name} failed: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * Brings the database up to date: forward only, each migration in a transaction of its own.
 * Replicas that start at once wait for each other on an advisory lock, so each runs once.
 * A database that is newer than the code is accepted: old code runs on the expanded schema.
 * A table that is in use is asked for again and again, and never for longer than a request waits.
 * Throws when an applied file was changed, or a file was numbered before an applied one.
 */
export async function migrate(database: Database, options: MigrateOptions): Promise<void> {
  const { directory, schemas = [] } = options
  const wanted = [
    ...schemas.flatMap(({ name, versions }) =>
      versions.map((text, index) => toMigration(`${name}/${index + 1}`, text)),
    ),
    ...(directory === undefined ? [] : await readDirectory(directory)),
  ]
  const client = await database.pool.connect().catch((error: unknown) => {
    throw toDatabaseError(error)
  })
  try {
    await client.query(`set statement_timeout = ${statementTimeoutMs}`)
    await client.query('select pg_advisory_lock($1)', [lockKey])
    await client.query(
      `create table if not exists schema_migrations (
        name text primary key,
        checksum text not null,
        applied_at timestamptz not null default now()
      )`,
    )
    const { rows } = await client.query<{ name: string; checksum: string }>(
      'select name, checksum from schema_migrations',
    )
    const applied = new Map(rows.map((row) => [row.name, row.checksum]))
    checkHistory(wanted, applied)
    for (const migration of wanted) {
      if (!applied.has(migration.name)) await apply(client, migration)
    }
  } finally {
    // Closing the connection also gives the lock back and forgets the long time-out.
    client.release(true)
  }
}
