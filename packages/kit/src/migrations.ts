import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
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

async function apply(client: pg.PoolClient, { name, text, checksum }: Migration): Promise<void> {
  try {
    await client.query('begin')
    await client.query(text)
    await client.query('insert into schema_migrations (name, checksum) values ($1, $2)', [
      name,
      checksum,
    ])
    await client.query('commit')
  } catch (error) {
    // The caller drops the connection, and the transaction with it.
    throw new Error(`The migration ${name} failed: ${(error as Error).message}`, { cause: error })
  }
}

/**
 * Brings the database up to date: forward only, each migration in a transaction of its own.
 * Replicas that start at once wait for each other on an advisory lock, so each runs once.
 * A database that is newer than the code is accepted: old code runs on the expanded schema.
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
