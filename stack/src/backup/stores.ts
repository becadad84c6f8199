import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { checkFreeSpace, lockDataFolder, openDataFolder } from '../data-folder.ts'
import { createEmbeddedPostgres } from '../embedded-postgres.ts'
import { readJson } from '../files.ts'
import { createLogs } from '../logs.ts'
import type { MessagingChoice } from '../messaging-choice.ts'
import { createDatabases, createExtensions, fingerprint } from '../postgres-databases.ts'
import { findPostgresHome, saveHome } from '../postgres-home.ts'
import type { Secrets } from '../secrets.ts'
import { databasePlans, parts } from '../topology.ts'
import { openStore, type Store } from './connection.ts'
import { messagesPart } from './snapshot.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Where each service's database is on a server that somebody else runs. */
export async function storesOnServer(serverUrl: string, env: Env): Promise<Store[]> {
  const owners = parts.flatMap(({ name, database }) => (database ? [{ part: name, database }] : []))
  const stores = owners.map((owner) => withUrl(owner, serverUrl, env))
  const messages = withUrl({ part: messagesPart, database: 'messages' }, serverUrl, env)
  // Where brokers keep the messages there is no database of them.
  return (await exists(messages)) ? [...stores, messages] : stores
}

function withUrl(store: Omit<Store, 'url'>, serverUrl: string, env: Env): Store {
  const url = new URL(serverUrl)
  url.pathname = `/${store.database}`
  return { ...store, url: urlFor(store.part, env) ?? url.href }
}

/** Each part's own setting, as `npm start` takes it: `HALLES_ORDERS_DATABASE_URL`. */
const urlFor = (part: string, env: Env) =>
  env[`HALLES_${part.toUpperCase().replaceAll('-', '_')}_DATABASE_URL`]

async function exists(store: Store): Promise<boolean> {
  try {
    await (await openStore(store, 'halles backup')).end()
    return true
  } catch (error) {
    // https://www.postgresql.org/docs/current/errcodes-appendix.html: invalid_catalog_name
    const { cause } = error as { cause?: { code?: unknown } }
    if (cause?.code === '3D000') return false
    throw error
  }
}

/** The stores of the stack that runs on the folder. */
export function storesOfRunning(dataFolder: string, secrets: Secrets, env: Env): Store[] {
  const { home } = findPostgresHome(dataFolder)
  if (home.port === undefined) {
    throw new AppError('not-found', 'NO_DATABASE', `There is no database in ${dataFolder} yet.`)
  }
  return embeddedStores(secrets, readMessaging(dataFolder), env, home.port)
}

function embeddedStores(
  secrets: Secrets,
  messaging: MessagingChoice,
  env: Env,
  port: number,
): Store[] {
  return databasePlans(secrets, messaging).map(({ database, role, password }) => ({
    part: role,
    database,
    url:
      urlFor(role, env) ??
      `postgres://${role}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`,
  }))
}

export function readMessaging(dataFolder: string): MessagingChoice {
  const known = readJson(join(dataFolder, 'messaging.json')) as MessagingChoice | undefined
  const { queues = 'embedded', topics = 'embedded' } = known ?? {}
  return { queues, topics }
}

/** Whether a stack runs on the folder: then its database may be read, and must not be replaced. */
export function holdFolder(dataFolder: string): { release(): void } | undefined {
  try {
    return lockDataFolder(dataFolder, 'a backup or restore')
  } catch (error) {
    if (error instanceof AppError && error.code === 'ALREADY_RUNNING') return undefined
    throw error
  }
}

export type EmbeddedOptions = {
  dataFolder: string
  secrets: Secrets
  messaging: MessagingChoice
  env: Env
}

// Two for each database, and some for who looks on.
const connections = 60

/** Runs the folder's own PostgreSQL while the work is done; makes it, and its databases, if need be. */
export async function withEmbeddedStores<T>(
  { dataFolder, secrets, messaging, env }: EmbeddedOptions,
  work: (stores: readonly Store[]) => Promise<T>,
): Promise<T> {
  const folder = openDataFolder(dataFolder)
  const { home } = findPostgresHome(folder)
  checkFreeSpace(join(home.dataDirectory, '..'))
  saveHome(folder, home)
  const logs = createLogs({
    ...{ folder: join(folder, 'logs'), maxBytes: 10 * 1024 * 1024, checkMs: 2_000 },
    onError: () => undefined,
  })
  try {
    const postgres = await createEmbeddedPostgres({
      dataDirectory: home.dataDirectory,
      superuserPassword: secrets.postgresPassword,
      maxConnections: connections,
      isDurable: true,
      previousPort: home.port,
      logFd: logs.open('postgres'),
      logTail: () => logs.tail('postgres', 6),
    })
    await postgres.start()
    try {
      const plans = databasePlans(secrets, messaging)
      await createExtensions(postgres.url)
      await createDatabases(postgres.url, plans)
      saveHome(folder, { ...home, port: postgres.port, databases: fingerprint(plans) })
      return await work(embeddedStores(secrets, messaging, env, postgres.port))
    } finally {
      await postgres.stop()
    }
  } finally {
    logs.close()
  }
}

/** Whether there is a database of a stack in the folder. */
export function hasDatabase(dataFolder: string): boolean {
  return existsSync(join(dataFolder, 'postgres.json'))
}
