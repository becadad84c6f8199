import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { topics } from '@halles/contracts/gen/topics'
import { createDatabase, type Database } from '@halles/kit/database'
import type { Messaging } from '@halles/kit/messaging'
import { createMessaging } from '@halles/kit/messaging/connect'
import { createMetrics } from '@halles/kit/metrics'
import { eventually, silentLogger } from '@halles/kit/testing'
import { createEmbeddedPostgres, type EmbeddedPostgres } from '../../stack/src/embedded-postgres.ts'
import { createLogs } from '../../stack/src/logs.ts'
import { createDatabases, createExtensions } from '../../stack/src/postgres-databases.ts'
import { createShop, type Shop } from '../e2e/shop.ts'
import { type BrokerAccess, brokersUnderTest } from './brokers.ts'

/** Who sends, and who receives: each with a database of its own. */
export const senders = { customers: 'users', products: 'products' } as const
export const receivers = { auth: 'credentials', carts: 'carts', wishlists: 'wishlists' } as const
export type Service = keyof typeof senders | keyof typeof receivers

/**
 * The whole platform, made to be broken: senders and receivers keep their databases on two separate
 * PostgreSQL servers, so that each can die alone.
 */
export type Platform = {
  shop: Shop
  database(service: Service): Database
  /** A look into the brokers from outside: what topics hold, what still waits. */
  messaging: Messaging
  /** kill -9 of the PostgreSQL that holds what receivers know; resolves when it answers again. */
  killReceiversPostgres(): Promise<void>
  stop(): Promise<void>
}

const settings = {
  // These tests break things; limits and the life of tokens are tested elsewhere.
  HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0',
  HALLES_AUTH_ACCESS_TOKEN_SECONDS: '3600',
  DEMO_CATALOGUE: 'false',
  LOG_LEVEL: 'warn',
}

export async function startPlatform(): Promise<Platform> {
  const receivers = await startReceiversPostgres()
  const shop = createShop({ ...settings, ...receivers.settings }, brokersUnderTest.stackArguments)
  const databases = new Map<Service, Database>()
  let messaging: Messaging | undefined
  async function stop(): Promise<void> {
    await messaging?.stop()
    for (const database of databases.values()) await database.close()
    try {
      await shop.stack.stop()
    } finally {
      await receivers.stop()
    }
  }
  try {
    await shop.stack.start()
    const urlOf = sendersPostgres(shop)
    for (const [service, name] of Object.entries(senders)) {
      databases.set(service as Service, openDatabase(urlOf(name)))
    }
    for (const [service, name] of Object.entries(receivers.databases)) {
      databases.set(service as Service, openDatabase(receivers.url(name)))
    }
    messaging = watchBrokers(brokersUnderTest.access(shop.stack, urlOf('messages')))
    await messaging.start()
  } catch (error) {
    await stop()
    throw error
  }
  return {
    shop,
    messaging,
    stop,
    killReceiversPostgres: receivers.kill,
    database(service) {
      const found = databases.get(service)
      if (!found) throw new Error(`${service} has no database here.`)
      return found
    },
  }
}

function openDatabase(url: string): Database {
  return createDatabase({
    url,
    logger: silentLogger(),
    applicationName: 'fault tests',
    poolSize: 2,
    // Locks are held while a fault is arranged.
    idleInTransactionTimeoutMs: 60_000,
    statementTimeoutMs: 30_000,
  })
}

/** The superuser's way into the server that the stack itself runs. */
function sendersPostgres({ stack }: Shop): (database: string) => string {
  const { postgresPassword } = stack.readJson('secrets.json') as { postgresPassword: string }
  const port = stack.processes('postgres')[0]?.ports.postgres
  return (database) => `postgres://halles:${postgresPassword}@127.0.0.1:${port}/${database}`
}

function watchBrokers(access: BrokerAccess): Messaging {
  return createMessaging({
    config: { kafkaSaslMechanism: 'PLAIN', kafkaTls: false, ...access },
    service: 'fault-tests',
    instance: 'fault-tests',
    logger: silentLogger(),
    metrics: createMetrics({ service: 'fault-tests' }),
    topics,
  })
}

async function startReceiversPostgres() {
  const folder = mkdtempSync(join(tmpdir(), 'halles-receivers-'))
  // PostgreSQL may have to run as another user, who must be able to pass.
  chmodSync(folder, 0o711)
  const logs = createLogs({
    folder: join(folder, 'logs'),
    maxBytes: 50 * 1024 * 1024,
    checkMs: 2_000,
    onError: () => undefined,
  })
  const postgres = await createEmbeddedPostgres({
    dataDirectory: join(folder, 'postgres'),
    superuserPassword: randomBytes(16).toString('hex'),
    maxConnections: 100,
    isDurable: true,
    logFd: logs.open('postgres'),
    logTail: () => logs.tail('postgres', 6),
  })
  await postgres.start()
  await createExtensions(postgres.url)
  const plans = Object.entries(receivers).map(([role, database]) => {
    return { role, database, password: randomBytes(16).toString('hex') }
  })
  await createDatabases(postgres.url, plans)
  return {
    databases: receivers,
    url: (database: string) => postgres.url(database),
    settings: Object.fromEntries(
      plans.map(({ role: name, database, password }) => [
        `HALLES_${name.toUpperCase()}_DATABASE_URL`,
        postgres.url(database, { name, password }),
      ]),
    ),
    kill: () => killPostgres(postgres),
    async stop() {
      await postgres.stop()
      logs.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function killPostgres(postgres: EmbeddedPostgres): Promise<void> {
  const pid = postgres.serverPid()
  if (pid === undefined) throw new Error('The PostgreSQL of the receivers does not run.')
  const { restarts } = postgres.status()
  process.kill(pid, 'SIGKILL')
  await eventually(() => postgres.status().restarts > restarts, { limitMs: 30_000 })
  await eventually(() => postgres.status().state === 'ready', { limitMs: 60_000 })
}
