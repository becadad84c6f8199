import { topics } from '@halles/contracts/gen/topics'
import { createDatabase, type Database } from '@halles/kit/database'
import type { Messaging } from '@halles/kit/messaging'
import { createMessaging } from '@halles/kit/messaging/connect'
import { createMetrics } from '@halles/kit/metrics'
import { silentLogger } from '@halles/kit/testing'
import { createShop, type Shop } from '../e2e/shop.ts'
import { type BrokerAccess, brokersUnderTest } from './brokers.ts'
import { startOwnPostgres } from './own-postgres.ts'

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
  const own = await startOwnPostgres(receivers)
  const shop = createShop({ ...settings, ...own.settings }, brokersUnderTest.stackArguments)
  const databases = new Map<Service, Database>()
  let messaging: Messaging | undefined
  async function stop(): Promise<void> {
    await messaging?.stop()
    for (const database of databases.values()) await database.close()
    try {
      await shop.stack.stop()
    } finally {
      await own.stop()
    }
  }
  try {
    await shop.stack.start()
    const urlOf = sendersPostgres(shop)
    for (const [service, name] of Object.entries(senders)) {
      databases.set(service as Service, openDatabase(urlOf(name)))
    }
    for (const [service, name] of Object.entries(receivers)) {
      databases.set(service as Service, openDatabase(own.postgres.url(name)))
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
    killReceiversPostgres: own.kill,
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
