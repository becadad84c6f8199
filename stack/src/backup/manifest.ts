import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { readJson, writeJson } from '../files.ts'
import type { MessagingChoice } from '../messaging-choice.ts'

/** One table: `file` holds its rows in COPY's text format, gzipped. */
export type TableRecord = {
  name: string
  columns: readonly string[]
  rows: number
  /** Of the text before it was compressed, as is the hash. */
  bytes: number
  sha256: string
  file: string
}

export type SequenceRecord = { name: string; value: string; isCalled: boolean }

export type MigrationRecord = { name: string; checksum: string }

/** A service's database, or that of the embedded messages. */
export type DatabaseRecord = {
  part: string
  database: string
  migrations: readonly MigrationRecord[]
  /** In an order in which each comes after those that it refers to. */
  tables: readonly TableRecord[]
  sequences: readonly SequenceRecord[]
}

/** `manifest.json`: what a backup holds. */
export type Manifest = {
  format: typeof manifestFormat
  /** The one moment that every database is kept of. */
  takenAt: string
  /** How long writers stood still for it. */
  heldMs: number
  /** Where messages were kept; null where it is not known. */
  messaging: MessagingChoice | null
  /** Tells whether secrets are the ones that the data were sealed with. */
  secrets: SecretsRecord | null
  databases: readonly DatabaseRecord[]
}

export type SecretsRecord = {
  isIncluded: boolean
  salt: string
  /** Salted hashes by the secret's name. */
  digests: Readonly<Record<string, string>>
}

export const manifestFormat = 1

const fileName = 'manifest.json'
// Some hundred tables make some 50 KB.
const maxManifestBytes = 10 * 1024 * 1024

export function writeManifest(folder: string, manifest: Manifest): void {
  writeJson(join(folder, fileName), manifest)
}

/** Reads the manifest of a backup; throws `BACKUP_UNREADABLE` for what is none, or is damaged. */
export function readManifest(folder: string): Manifest {
  const path = join(folder, fileName)
  if (!existsSync(path)) {
    throw unreadable(`${folder} holds no ${fileName}, so it is no finished backup.`)
  }
  if (statSync(path).size > maxManifestBytes) throw unreadable(`${path} is too large to be one.`)
  let value: unknown
  try {
    value = readJson(path)
  } catch (cause) {
    throw unreadable(`${path} is no JSON.`, cause)
  }
  const { format } = Object(value) as { format?: unknown }
  if (format !== manifestFormat) {
    throw unreadable(
      `${path} has format ${JSON.stringify(format)}; this release reads ${manifestFormat}.`,
    )
  }
  if (!isManifest(value)) throw unreadable(`${path} is damaged.`)
  return value
}

export function unreadable(message: string, cause?: unknown): AppError {
  return new AppError('invalid', 'BACKUP_UNREADABLE', message, { cause })
}

// They become names of files and, quoted, of SQL.
const isName = (value: unknown) => typeof value === 'string' && /^[a-z][a-z0-9_-]*$/.test(value)
const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0
const isListOf = (value: unknown, isItem: (item: Record<string, unknown>) => boolean) =>
  Array.isArray(value) && value.every((item) => isItem(Object(item)))

function isManifest(value: unknown): value is Manifest {
  const { takenAt, messaging, secrets, databases } = Object(value) as Record<string, unknown>
  return (
    typeof takenAt === 'string' &&
    isMessaging(messaging) &&
    isSecrets(secrets) &&
    isListOf(databases, isDatabase)
  )
}

function isMessaging(value: unknown): boolean {
  if (value === null) return true
  const { queues, topics } = Object(value) as Record<string, unknown>
  const isKnown = (kind: unknown, other: string) => kind === 'embedded' || kind === other
  return isKnown(queues, 'rabbitmq') && isKnown(topics, 'kafka')
}

function isSecrets(value: unknown): boolean {
  if (value === null) return true
  const { isIncluded, salt, digests } = Object(value) as Record<string, unknown>
  return typeof isIncluded === 'boolean' && typeof salt === 'string' && typeof digests === 'object'
}

function isDatabase({ part, database, migrations, tables, sequences }: Record<string, unknown>) {
  return (
    isName(part) &&
    isName(database) &&
    isListOf(migrations, ({ name, checksum }) => [name, checksum].every(isText)) &&
    isListOf(tables, isTable) &&
    isListOf(sequences, (each) => isName(each.name) && /^\d{1,19}$/.test(String(each.value)))
  )
}

const isText = (value: unknown) => typeof value === 'string'

function isTable({ name, columns, rows, bytes, sha256, file }: Record<string, unknown>) {
  return (
    isName(name) &&
    Array.isArray(columns) &&
    columns.every(isName) &&
    isCount(rows) &&
    isCount(bytes) &&
    isText(sha256) &&
    typeof file === 'string' &&
    /^[a-z0-9_-]+\/[a-z0-9_-]+\.copy\.gz$/.test(file)
  )
}
