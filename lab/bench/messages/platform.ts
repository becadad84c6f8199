import { createDatabase, type Database } from '@halles/kit/database'
import { createLogger } from '@halles/kit/logging'
import {
  type Customer,
  createShop,
  type ProductForSale,
  type Shop,
} from '../../../tests/e2e/shop.ts'

export type Kind = 'embedded' | 'brokers'

/** A running shop whose databases can be looked into, with what the measurements change. */
export type Platform = {
  kind: Kind
  shop: Shop
  /** The superuser's way into the database server. */
  postgresUrl: string
  users: Database
  credentials: Database
  products: Database
  carts: Database
  wishlists: Database
  customer: Customer
  listing: ProductForSale
  stop(): Promise<void>
}

const settings = {
  HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0',
  HALLES_AUTH_ACCESS_TOKEN_SECONDS: '3600',
  DEMO_CATALOGUE: 'false',
  LOG_LEVEL: 'warn',
}
const names = ['users', 'credentials', 'products', 'carts', 'wishlists'] as const

/** Starts a shop of its own, on its own brokers when `kind` says so. */
export async function startPlatform(kind: Kind): Promise<Platform> {
  const shop = createShop(settings, kind === 'brokers' ? ['--brokers'] : [])
  const databases: Partial<Record<(typeof names)[number], Database>> = {}
  async function stop(): Promise<void> {
    await Promise.all(Object.values(databases).map((database) => database.close()))
    await shop.stack.stop()
  }
  try {
    await shop.stack.start()
    const open = (name: string) => openDatabase(shop, name)
    const [users, credentials, products, carts, wishlists] = names.map(open) as Opened
    Object.assign(databases, { users, credentials, products, carts, wishlists })
    const customer = await shop.signUp()
    const listing = await shop.sell({ amountMinor: 1_000 })
    const known = { users, credentials, products, carts, wishlists }
    return { kind, shop, postgresUrl: urlOf(shop, 'postgres'), ...known, customer, listing, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Opened = [Database, Database, Database, Database, Database]

function urlOf({ stack }: Shop, database: string): string {
  const { postgresPassword } = stack.readJson('secrets.json') as { postgresPassword: string }
  const port = stack.processes('postgres')[0]?.ports.postgres
  return `postgres://halles:${postgresPassword}@127.0.0.1:${port}/${database}`
}

function openDatabase(shop: Shop, name: string): Database {
  return createDatabase({
    url: urlOf(shop, name),
    logger: createLogger({ service: 'lab', level: 'error', instance: 'lab' }),
    applicationName: 'lab',
    poolSize: 2,
    // Filling an outbox or a hundred thousand carts is one long statement.
    statementTimeoutMs: 120_000,
  })
}
