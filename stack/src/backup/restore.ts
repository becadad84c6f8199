import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import { createDatabase, migrate } from '@halles/kit/database'
import { AppError } from '@halles/kit/errors'
import { inboxSchema } from '@halles/kit/inbox'
import { createLogger } from '@halles/kit/logging'
import { brokerSchema } from '@halles/kit/messaging/postgres/schema'
import type { KitSchema } from '@halles/kit/migrations'
import { outboxSchema } from '@halles/kit/outbox'
import type pg from 'pg'
import { root } from '../bundle.ts'
import { parts } from '../topology.ts'
import { createMeter } from './back-up.ts'
import { emptyDatabase, filledTables, quote } from './catalog.ts'
import { type Store, withStores } from './connection.ts'
import { copyIn } from './copy.ts'
import { type DatabaseRecord, type Manifest, type TableRecord, unreadable } from './manifest.ts'

export type RestoreOptions = {
  folder: string
  manifest: Manifest
  /** Where each database of the manifest goes. */
  stores: readonly Store[]
  /** Replaces what the databases hold. */
  isForced: boolean
  progress(text: string): void
}

/**
 * Reads every file of the backup and compares it with the manifest, and its schema with this
 * release. Throws before anything was touched: `BACKUP_UNREADABLE`, `BACKUP_OF_OTHER_RELEASE`.
 */
export async function checkBackup(
  folder: string,
  { databases }: Manifest,
  progress: (text: string) => void,
): Promise<void> {
  for (const record of databases) await findMigrations(record)
  const tables = databases.flatMap((each) => each.tables)
  for (const table of tables) {
    const meter = createMeter()
    await readRows(folder, table, meter)
    const { bytes, sha256 } = meter.read()
    if (bytes !== table.bytes || sha256 !== table.sha256) {
      throw unreadable(`${join(folder, table.file)} is not what the manifest says.`)
    }
  }
  progress(`${tables.length} tables are as they were kept`)
}

async function readRows(
  folder: string,
  { file }: TableRecord,
  meter: ReturnType<typeof createMeter>,
) {
  const path = join(folder, file)
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  try {
    await pipeline(createReadStream(path), createGunzip(), meter.stream, nowhere)
  } catch (cause) {
    throw unreadable(`${path} cannot be read.`, cause)
  }
}

/**
 * Fills each database, in one transaction of its own, with what was kept of it. Throws
 * `RESTORE_NOT_EMPTY` for databases that hold rows unless it is forced, and `STORE_IN_USE`.
 */
export function restore(options: RestoreOptions): Promise<void> {
  const { manifest, stores, isForced, progress } = options
  return withStores(stores, 'halles restore', async (clients) => {
    const filled: string[] = []
    for (const [index, client] of clients.entries()) {
      const store = stores[index]
      if (!store) continue
      await becomeOwner(client)
      await checkAlone(client, store)
      if ((await filledTables(client)).some((name) => name !== 'schema_migrations')) {
        filled.push(store.database)
      }
    }
    if (filled.length > 0 && !isForced) {
      const message = `There is something in ${filled.join(', ')}. --force throws it away and restores the backup in its place.`
      throw new AppError('conflict', 'RESTORE_NOT_EMPTY', message)
    }
    for (const [index, client] of clients.entries()) {
      const store = stores[index]
      const record = manifest.databases.find(({ part }) => part === store?.part)
      if (!store || !record) continue
      await emptyDatabase(client)
      await createTables(store, client, record)
      await fill(client, record, options)
      const rows = record.tables.reduce((sum, table) => sum + table.rows, 0)
      progress(`${record.database}: ${record.tables.length} tables, ${rows} rows`)
    }
  })
}

/** A superuser makes things that belong to the service, as the service itself would. */
async function becomeOwner(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ owner: string }>(
    'select pg_get_userbyid(datdba) as owner from pg_database where datname = current_database()',
  )
  await client.query(`set role ${quote(rows[0]?.owner ?? '')}`)
}

// A backend whose client has just gone needs a moment to go too.
const lingerMs = 5_000

async function checkAlone(client: pg.Client, { database }: Store): Promise<void> {
  const untilMs = performance.now() + lingerMs
  for (;;) {
    // PostgreSQL's own workers belong to no user.
    const { rows } = await client.query<{ name: string }>(
      `select application_name as name from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and usesysid is not null
       limit 1`,
    )
    if (rows[0] === undefined) return
    if (performance.now() > untilMs) {
      const message = `${rows[0].name || 'Somebody'} uses the database ${database}. Stop the services first.`
      throw new AppError('conflict', 'STORE_IN_USE', message)
    }
    await pause(200)
  }
}

type Known = { schemas: KitSchema[]; files: string[]; directory: string }

/** The migrations that the backup's schema was made by, from this release. */
async function findMigrations({ part, migrations }: DatabaseRecord): Promise<Known> {
  const entry = parts.find(({ name }) => name === part)?.entry ?? ''
  const directory = join(root, entry.replace(/src\/main\.ts$/, 'migrations'))
  const known: Known = { schemas: [], files: [], directory }
  const kit = [outboxSchema, inboxSchema, brokerSchema]
  for (const schema of kit) {
    const count = migrations.filter(({ name }) => name.startsWith(`${schema.name}/`)).length
    if (count > 0) known.schemas.push({ ...schema, versions: schema.versions.slice(0, count) })
  }
  for (const { name, checksum } of migrations) {
    const [, schema, version] = /^(.+)\/(\d+)$/.exec(name) ?? []
    const text =
      schema === undefined
        ? await readFileIfAny(join(directory, name))
        : kit.find((each) => each.name === schema)?.versions[Number(version) - 1]
    if (text === undefined || createHash('sha256').update(text).digest('hex') !== checksum) {
      const message = `The backup of ${part} has the migration ${name}, which this release does not have. Restore it with the release that made it, or a later one.`
      throw new AppError('conflict', 'BACKUP_OF_OTHER_RELEASE', message)
    }
    if (schema === undefined) known.files.push(name)
  }
  return known
}

async function readFileIfAny(path: string): Promise<string | undefined> {
  // A name from the backup that is no migration's is no file of ours.
  if (!/\/\d{4}_[a-z0-9_]+\.sql$/.test(path)) return undefined
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined
    throw error
  }
}

/** Brings an empty database to the schema of the backup; the service itself goes on from there. */
async function createTables(
  { url }: Store,
  client: pg.Client,
  record: DatabaseRecord,
): Promise<void> {
  const { schemas, files, directory } = await findMigrations(record)
  const { rows } = await client.query<{ role: string }>('select current_user as role')
  const draft = await mkdtemp(join(tmpdir(), 'halles-restore-'))
  const logger = createLogger({ service: 'restore', instance: record.part, level: 'error' })
  const database = createDatabase({
    ...{ url, logger, applicationName: 'halles restore', poolSize: 1 },
    settings: { role: rows[0]?.role ?? '' },
  })
  try {
    for (const name of files) await copyFile(join(directory, name), join(draft, name))
    await migrate(database, { directory: draft, schemas })
  } finally {
    await database.close()
    await rm(draft, { recursive: true })
  }
}

async function fill(
  client: pg.Client,
  { tables, sequences, database }: DatabaseRecord,
  { folder }: RestoreOptions,
): Promise<void> {
  await client.query('begin')
  const names = tables.map(({ name }) => quote(name))
  // What a trigger did when a row was written is in the rows; nobody is told of it a second time.
  for (const name of names) await client.query(`alter table ${name} disable trigger user`)
  if (names.length > 0) await client.query(`truncate ${names.join(', ')}`)
  for (const table of tables) await fillTable(client, table, { folder, database })
  for (const name of names) await client.query(`alter table ${name} enable trigger user`)
  for (const { name, value, isCalled } of sequences) {
    await client.query('select setval($1::regclass, $2, $3)', [quote(name), value, isCalled])
  }
  await client.query('commit')
  // Or the first readers would plan as if the tables were empty.
  await client.query('analyze')
}

async function fillTable(
  client: pg.Client,
  table: TableRecord,
  { folder, database }: { folder: string; database: string },
): Promise<void> {
  const columns = table.columns.map(quote).join(', ')
  const source = createGunzip()
  // What breaks ends the source, whose reader then throws.
  pipeline(createReadStream(join(folder, table.file)), source).catch(() => undefined)
  const rows = await copyIn(client, `${quote(table.name)} (${columns})`, source)
  if (rows === table.rows) return
  throw unreadable(
    `${database}.${table.name} took ${rows} rows of the ${table.rows} that the manifest names.`,
  )
}
