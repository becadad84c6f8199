import { setTimeout as pause } from 'node:timers/promises'
import { type Database, sql } from '@halles/kit/database'
import { cpuPerRequest, readCpu } from '../cpu.ts'
import type { Platform } from './platform.ts'

/** From the accepted change to its effect, in milliseconds. */
export type Propagation = { what: string; changes: number; p50: number; p99: number }

// The figure is at worst this much too high.
const pollMs = 1
const limitMs = 30_000

const readCredentials = sql(
  'lab.credentials_version',
  'select version from credentials where subject_id = $1',
)
const readUser = sql('lab.user_version', 'select version from customers where id = $1')
const readReplica = sql(
  'lab.replica_price',
  'select amount_minor as version from replica_variants where variant_id = $1',
)

async function untilAtLeast(
  database: Database,
  statement: typeof readReplica,
  [key, wanted]: readonly [string, number],
): Promise<void> {
  const endsAt = performance.now() + limitMs
  for (;;) {
    const row = await database.maybe<{ version: number }>(statement, [key])
    if (row && row.version >= wanted) return
    if (performance.now() > endsAt) throw new Error('An accepted change has not arrived.')
    await pause(pollMs)
  }
}

function summarize(what: string, times: readonly number[]): Propagation {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
  return { what, changes: times.length, p50: at(0.5), p99: at(0.99) }
}

/** One password after the other, nothing else going on: customers → auth. */
export async function measurePasswords(platform: Platform, changes: number): Promise<Propagation> {
  const { shop, users, credentials, customer } = platform
  const times: number[] = []
  let { password } = customer
  for (let change = 0; change < changes; change += 1) {
    const { token } = await shop.signIn(customer.email, password)
    const next = `market-night-${change}`
    await shop.api.ask('changePassword', {
      token,
      body: { currentPassword: password, newPassword: next },
    })
    const acceptedAt = performance.now()
    password = next
    const { version } = await users.one<{ version: number }>(readUser, [customer.id], noCustomer)
    await untilAtLeast(credentials, readCredentials, [customer.id, version])
    times.push(performance.now() - acceptedAt)
  }
  customer.password = password
  return summarize('password → auth', times)
}

function noCustomer(): Error {
  return new Error('The customer is missing.')
}

/** Prices that grow, so that the newest is the highest; at a steady rate, or one after the other. */
export async function measurePrices(
  platform: Platform,
  { changes, perSecond }: { changes: number; perSecond?: number },
): Promise<Propagation[]> {
  const { carts, wishlists } = platform
  const times = { carts: [] as number[], wishlists: [] as number[] }
  const startedAt = performance.now()
  const arrivals: Promise<void>[] = []
  for (let change = 0; change < changes; change += 1) {
    if (perSecond) {
      const waitMs = startedAt + (change * 1_000) / perSecond - performance.now()
      await pause(Math.max(0, waitMs))
    }
    const key = await raisePrice(platform)
    const acceptedAt = performance.now()
    const arrive = async (where: 'carts' | 'wishlists', database: Database) => {
      await untilAtLeast(database, readReplica, key)
      times[where].push(performance.now() - acceptedAt)
    }
    const arrival = Promise.all([arrive('carts', carts), arrive('wishlists', wishlists)])
    arrivals.push(arrival.then(() => undefined))
    if (!perSecond) await arrival
  }
  await Promise.all(arrivals)
  return [summarize('price → carts', times.carts), summarize('price → wishlists', times.wishlists)]
}

const amounts = new WeakMap<Platform, number>()

async function raisePrice(platform: Platform): Promise<readonly [string, number]> {
  const { shop, listing } = platform
  const { variantId } = listing
  const amountMinor = (amounts.get(platform) ?? 1_000) + 1
  amounts.set(platform, amountMinor)
  await shop.api.ask('setPrice', {
    token: await shop.admin(),
    params: { variantId },
    body: { amountMinor, currency: 'EUR' },
  })
  return [variantId, amountMinor]
}

const fillCarts = sql(
  'lab.fill_carts',
  `with made as (
    insert into carts (id, updated_at) select gen_random_uuid(), now() from generate_series(1, $1)
    returning id
  )
  insert into cart_lines (cart_id, variant_id, quantity, added_amount_minor, added_currency)
  select id, $2, 1, 1000, 'EUR' from made`,
)

export type FanOut = Propagation & { holders: number; cpuMs: Record<string, number> }

/** What a price change costs when so many carts hold the product. */
export async function measureFanOut(
  platform: Platform,
  { holders, added, changes }: { holders: number; added: number; changes: number },
): Promise<FanOut> {
  const { shop, carts, listing } = platform
  await carts.run(fillCarts, [added, listing.variantId])
  await carts.pool.query('analyze')
  const before = await readCpu(shop.stack.processes())
  const [measured] = await measurePrices(platform, { changes, perSecond: 40 })
  const after = await readCpu(shop.stack.processes())
  if (!measured) throw new Error('Nothing was measured.')
  return { ...measured, holders, cpuMs: cpuPerRequest(before, after, changes) }
}
