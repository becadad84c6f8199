import {
  address as authEvents,
  type SessionsRevokedData,
  sessionsRevoked,
} from '@halles/contracts/gen/messages/auth'
import {
  type ProductState,
  priceChanged,
  productChanged,
  address as productEvents,
} from '@halles/contracts/gen/messages/products'
import { sql } from '@halles/kit/database'
import type { Message } from '@halles/kit/messaging'
import { createPasswordHasher } from '@halles/kit/passwords'
import type { Account } from './accounts.ts'
import type { Platform } from './platform.ts'
import { each, type Memory } from './workload.ts'

/**
 * What the services know, read from both sides. Places of passwords count from 0, the one of the
 * sign-up; -1 stands for none that was ever asked for.
 */
export type Facts = {
  /** The truth, at customers. */
  customers: Map<string, Credential>
  /** How many commands customers has sent in all: one for each version of each customer. */
  commandsSent: number
  /** The copy, at auth. */
  credentials: Map<string, Credential & { appliedAt: Date }>
  /** How many commands auth remembers to have applied. */
  commandsApplied: number
  /** That auth keeps open. */
  sessions: { id: string; subjectId: string; openedAt: Date }[]
  /** How many events have told that a session ended, by its id. */
  revocations: Map<string, number>
  /** The truth, at products, by product. */
  products: Map<string, { version: number; amountMinor: number }>
  /** Every price that products has ever set, by variant. */
  priceHistory: Map<string, number[]>
  /** How many events carry each version, by product. */
  announcements: Map<string, Map<number, number>>
  /** How often an event stands in its topic once more. */
  repeatedEvents: number
  /** The copies, at carts and wishlists, by product. */
  replicas: Map<'carts' | 'wishlists', Map<string, { version: number; amountMinor: number }>>
  deadLetters: { service: string; type: string; reason: string }[]
}

export type Credential = {
  version: number
  /** The place of the password that opens it; one past the last is the unanswered one. */
  password: number
}

type Row = { id: string; hash: string | null; version: number }

const selectCustomers = sql(
  'faults.customers',
  'select id, password_hash as hash, version from customers limit 100000',
)
const selectSent = sql('faults.commands_sent', 'select sum(version)::bigint as n from customers')
const selectCredentials = sql(
  'faults.credentials',
  `select subject_id as id, password_hash as hash, version, updated_at as "appliedAt"
   from credentials limit 100000`,
)
const selectApplied = sql(
  'faults.commands_applied',
  `select count(*) as n from inbox where consumer = 'auth.set-credentials'`,
)
const selectSessions = sql(
  'faults.sessions',
  `select id, subject_id as "subjectId", created_at as "openedAt" from sessions limit 100000`,
)
const selectProducts = sql(
  'faults.products',
  `select products.id, products.version, price_minor as "amountMinor"
   from products join variants on product_id = products.id limit 100000`,
)
const selectHistory = sql(
  'faults.price_history',
  `select variant_id as id, to_minor as "amountMinor" from price_history order by id limit 100000`,
)
const selectReplica = sql(
  'faults.replica',
  `select product_id as id, version, amount_minor as "amountMinor"
   from replica_products join replica_variants using (product_id) limit 100000`,
)

type PriceRow = { id: string; version: number; amountMinor: number }

/** Reads both sides. Call it when everything has settled. */
export async function gatherFacts(platform: Platform, memory: Memory): Promise<Facts> {
  const { shop, database } = platform
  const customers = await database('customers').query<Row>(selectCustomers)
  const credentials = await database('auth').query<Row & { appliedAt: Date }>(selectCredentials)
  const places = await findPasswords(memory.accounts, [customers, credentials])
  const toCredential = (row: Row) => ({ version: row.version, password: places(row.hash) })
  const commands = await countCommands(platform)
  const prices = async (service: 'products' | 'carts' | 'wishlists') => {
    const statement = service === 'products' ? selectProducts : selectReplica
    return new Map((await database(service).query<PriceRow>(statement)).map((row) => [row.id, row]))
  }
  const history = await database('products').query<PriceRow>(selectHistory)
  const { items } = await shop.api.ask('listDeadLetters', { token: await shop.admin() })
  return {
    customers: new Map(customers.map((row) => [row.id, toCredential(row)])),
    commandsSent: commands.sent,
    credentials: new Map(
      credentials.map((row) => [row.id, { ...toCredential(row), appliedAt: row.appliedAt }]),
    ),
    commandsApplied: commands.applied,
    sessions: await database('auth').query(selectSessions),
    ...(await readEvents(platform)),
    products: await prices('products'),
    priceHistory: new Map(
      [...Map.groupBy(history, ({ id }) => id)].map(([id, rows]) => [
        id,
        rows.map(({ amountMinor }) => amountMinor),
      ]),
    ),
    replicas: new Map([
      ['carts', await prices('carts')],
      ['wishlists', await prices('wishlists')],
    ]),
    deadLetters: items.map(({ service, type, reason }) => ({ service, type, reason })),
  }
}

/** Every version of a customer is a command; auth remembers each one that it has applied. */
export async function countCommands({ database }: Platform) {
  const sent = await database('customers').one<{ n: number }>(selectSent, [], noCount)
  const applied = await database('auth').one<{ n: number }>(selectApplied, [], noCount)
  return { sent: sent.n, applied: applied.n }
}

/** What the topics hold: an event that a relay has sent twice, by its id, counts once. */
async function readEvents({ messaging }: Platform) {
  const revocations = new Map<string, number>()
  const announcements = new Map<string, Map<number, number>>()
  const seen = new Set<string>()
  let repeatedEvents = 0
  const read = (topic: string, take: (message: Message) => void) =>
    messaging.replayTopic({
      topic,
      async handler({ message }) {
        if (seen.has(message.id)) repeatedEvents += 1
        else take(message)
        seen.add(message.id)
      },
    })
  await read(authEvents.name, ({ type, data }) => {
    if (type !== sessionsRevoked.type) return
    for (const id of (data as SessionsRevokedData).sessionIds) add(revocations, id)
  })
  await read(productEvents.name, ({ type, data }) => {
    if (type !== productChanged.type && type !== priceChanged.type) return
    const { productId, version } = data as ProductState
    const versions = announcements.get(productId) ?? new Map<number, number>()
    announcements.set(productId, versions)
    add(versions, version)
  })
  return { revocations, announcements, repeatedEvents }
}

function add<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/**
 * Which password opens each hash: tried from the newest, so that a hash as it should be costs one
 * verification of 13 ms.
 */
async function findPasswords(
  accounts: readonly Account[],
  sides: readonly (readonly Row[])[],
): Promise<(hash: string | null) => number> {
  const passwords = createPasswordHasher({ concurrency: 2, queueLimit: 10_000 })
  const places = new Map<string, number>()
  const find = async (hash: string, { passwords: accepted, unanswered }: Account) => {
    const known = unanswered === undefined ? accepted : [...accepted, unanswered]
    for (let place = known.length - 1; place >= 0; place -= 1) {
      if (await passwords.verify(hash, known[place] ?? '')) return place
    }
    return -1
  }
  const hashes = sides.map((rows) => new Map(rows.map(({ id, hash }) => [id, hash])))
  await each(accounts, 4, async (account) => {
    for (const hash of new Set(hashes.map((side) => side.get(account.id)))) {
      if (hash) places.set(hash, await find(hash, account))
    }
  })
  return (hash) => (hash === null ? -1 : (places.get(hash) ?? -1))
}

function noCount(): Error {
  return new Error('An aggregate always has a row.')
}
