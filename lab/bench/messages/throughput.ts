import { removeCredentials } from '@halles/contracts/gen/messages/customers'
import { type ProductState, priceChanged } from '@halles/contracts/gen/messages/products'
import { createMessage, type OutgoingMessage } from '@halles/contracts/message'
import { type Database, sql } from '@halles/kit/database'
import { uuidv7 } from '@halles/kit/ids'
import { appendOutbox } from '@halles/kit/outbox'
import { eventually } from '@halles/kit/testing'
import { cpuPerRequest, readCpu } from '../cpu.ts'
import type { Platform } from './platform.ts'

export type Throughput = {
  what: string
  messages: number
  /** From the outbox into the broker, confirmed. */
  publishedPerSecond: number
  /** From the outbox to the effect in the database of the last subscriber. */
  appliedPerSecond: number
  cpuMs: Record<string, number>
}

const limitMs = 180_000
const intervalMs = 10
// One transaction's worth: what the outbox is filled with at once.
const filling = 1_000
const keys = 100

const countOutbox = sql('lab.outbox', 'select count(*) as count from outbox')

/** What goes through an outbox, and how its last effect is known. */
export type Work = {
  what: string
  sender: Database
  messages: readonly OutgoingMessage[]
  isApplied(): Promise<boolean>
}

/** Fills the outbox of a sender, all of it visible at once, and waits for the last effect. */
export async function drain({ shop }: Platform, work: Work): Promise<Throughput> {
  const { what, sender, messages, isApplied } = work
  const before = await readCpu(shop.stack.processes())
  await sender.transaction(async (tx) => {
    for (let at = 0; at < messages.length; at += filling) {
      await appendOutbox(tx, messages.slice(at, at + filling))
    }
  })
  const startedAt = performance.now()
  const secondsUntil = async (isDone: () => Promise<boolean>) => {
    await eventually(isDone, { limitMs, intervalMs })
    return (performance.now() - startedAt) / 1_000
  }
  const [published, applied] = await Promise.all([
    secondsUntil(async () => {
      const row = await sender.maybe<{ count: number }>(countOutbox)
      return row?.count === 0
    }),
    secondsUntil(isApplied),
  ])
  const after = await readCpu(shop.stack.processes())
  return {
    what,
    messages: messages.length,
    publishedPerSecond: messages.length / published,
    appliedPerSecond: messages.length / applied,
    cpuMs: cpuPerRequest(before, after, messages.length),
  }
}

const countForgotten = sql(
  'lab.forgotten',
  'select count(*) as count from credentials where subject_id = any ($1::uuid[])',
)

/** Commands that need no hashing and no sealing, so that it is the way that is measured. */
export function commandsOf(platform: Platform, count: number): Work {
  const subjectIds = Array.from({ length: count }, () => uuidv7())
  const at = new Date()
  const messages = subjectIds.map((subjectId) =>
    createMessage(removeCredentials, { subjectId, version: 1 }, { id: uuidv7(), at }),
  )
  return {
    what: 'commands, customers → auth',
    sender: platform.users,
    messages,
    async isApplied() {
      const row = await platform.credentials.maybe<{ count: number }>(countForgotten, [subjectIds])
      return row?.count === count
    },
  }
}

const countNewest = sql(
  'lab.newest',
  `select count(*) as count from replica_products
   where product_id = any ($1::uuid[]) and version = $2`,
)

/** Price changes of a hundred products, each applied by carts and by wishlists. */
export function eventsOf(platform: Platform, count: number): Work {
  const productIds = Array.from({ length: keys }, () => uuidv7())
  const variantIds = productIds.map(() => uuidv7())
  const at = new Date()
  const versions = count / keys
  const messages = Array.from({ length: count }, (_none, index) => {
    const key = index % keys
    const version = Math.floor(index / keys) + 1
    const [productId = '', variantId = ''] = [productIds[key], variantIds[key]]
    return createMessage(priceChanged, stateOf({ productId, variantId, version }), {
      id: uuidv7(),
      at,
    })
  })
  const hasNewest = async (database: Database) => {
    const row = await database.maybe<{ count: number }>(countNewest, [productIds, versions])
    return row?.count === keys
  }
  return {
    what: 'events, products → carts and wishlists',
    sender: platform.products,
    messages,
    isApplied: async () =>
      (await hasNewest(platform.carts)) && (await hasNewest(platform.wishlists)),
  }
}

function stateOf(of: { productId: string; variantId: string; version: number }): ProductState {
  const { productId, variantId, version } = of
  return {
    productId,
    version,
    slug: `yardstick-${productId}`,
    title: 'Yardstick',
    status: 'active',
    category: null,
    variants: [
      {
        variantId,
        sku: 'YARDSTICK',
        title: 'One',
        price: { amountMinor: version, currency: 'EUR' },
        availability: 'in_stock',
      },
    ],
  }
}
