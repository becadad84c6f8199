import { createHash } from 'node:crypto'
import { createWriteStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { AppError } from '@halles/kit/errors'
import type pg from 'pg'
import { checkFreeSpace } from '../data-folder.ts'
import { errorCode } from '../files.ts'
import type { MessagingChoice } from '../messaging-choice.ts'
import { readMigrations, readSequences, readTables, type Table } from './catalog.ts'
import { type Store, withStores } from './connection.ts'
import { copyOut } from './copy.ts'
import {
  type DatabaseRecord,
  type Manifest,
  manifestFormat,
  type SecretsRecord,
  type TableRecord,
  writeManifest,
} from './manifest.ts'
import { takeSnapshot } from './snapshot.ts'

export type BackupOptions = {
  stores: readonly Store[]
  /** A folder that must not exist yet. */
  folder: string
  messaging: MessagingChoice | null
  secrets: SecretsRecord | null
  /** Writes what belongs beside the databases into the folder. */
  addFiles?(folder: string): void
  progress(text: string): void
}

/**
 * Keeps every store as it was at one moment, while they are used. The folder appears under its name
 * when it is complete; what was begun is removed when something fails.
 */
export async function backUp(options: BackupOptions): Promise<Manifest> {
  const { stores, folder, messaging, secrets, addFiles, progress } = options
  if (existsSync(folder)) {
    throw new AppError('conflict', 'BACKUP_EXISTS', `${folder} exists already. Name another one.`)
  }
  const draft = join(dirname(folder), `.${basename(folder)}.partial`)
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true, mode: 0o700 })
  try {
    checkFreeSpace(draft)
    const manifest = await withStores(stores, 'halles backup', async (clients) => {
      progress(`${stores.length} databases: waiting for one moment in all of them …`)
      const { takenAt, heldMs } = await takeSnapshot(stores, clients)
      progress(`kept the moment ${takenAt.toISOString()}; writers waited ${heldMs} ms`)
      const databases: DatabaseRecord[] = []
      for (const [index, store] of stores.entries()) {
        const client = clients[index]
        if (client) databases.push(await keepDatabase(client, store, { folder: draft, progress }))
      }
      const facts = { format: manifestFormat, takenAt: takenAt.toISOString(), heldMs } as const
      return { ...facts, messaging, secrets, databases }
    })
    addFiles?.(draft)
    writeManifest(draft, manifest)
    renameSync(draft, folder)
    return manifest
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw errorCode(error) === 'ENOSPC'
      ? new AppError('unavailable', 'DISK_FULL', `The disk of ${folder} is full.`, { cause: error })
      : error
  }
}

type Place = { folder: string; progress(text: string): void }

async function keepDatabase(
  client: pg.Client,
  { part, database }: Store,
  { folder, progress }: Place,
): Promise<DatabaseRecord> {
  mkdirSync(join(folder, part), { mode: 0o700 })
  const migrations = await readMigrations(client)
  const tables: TableRecord[] = []
  for (const table of await readTables(client)) {
    tables.push(await keepTable(client, table, { part, folder }))
  }
  const sequences = await readSequences(client)
  await client.query('commit')
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  progress(`${database}: ${tables.length} tables, ${rows} rows`)
  return { part, database, migrations, tables, sequences }
}

async function keepTable(
  client: pg.Client,
  { name, columns, select }: Table,
  { part, folder }: { part: string; folder: string },
): Promise<TableRecord> {
  const file = `${part}/${name}.copy.gz`
  const meter = createMeter()
  const path = join(folder, file)
  // Level 1 takes most of what there is to gain and little of the cores that people shop with.
  const gzip = createGzip({ level: 1 })
  const written = pipeline(
    meter.stream,
    gzip,
    createWriteStream(path, { mode: 0o600, flush: true }),
  )
  const [copied, stored] = await Promise.allSettled([
    copyOut(client, select, meter.stream).finally(() => meter.stream.end()),
    written,
  ])
  // A full disk also ends the copy; the disk is the reason to tell.
  if (stored.status === 'rejected') throw stored.reason
  if (copied.status === 'rejected') throw copied.reason
  return { name, columns, rows: copied.value, ...meter.read(), file }
}

/** Passes bytes on, and knows how many and their hash. */
export function createMeter() {
  const hash = createHash('sha256')
  let bytes = 0
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      hash.update(chunk)
      done(null, chunk)
    },
  })
  return { stream, read: () => ({ bytes, sha256: hash.digest('hex') }) }
}
