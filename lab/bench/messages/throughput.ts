import { removeCredentials } from '@halles/contracts/gen/messages/customers'
import { type ProductState, priceChanged } from '@halles/contracts/gen/messages/products'
import { createMessage, type OutgoingMessage } from '@halles/contracts/message'
import { type Database, sql } from '@halles/kit/database'
import { uuidv7 } from '@halles/kit/ids'
import { appendOutbox } from '@halles/kit/outbox'
import { eventually } from '@halles/kit/testing'
import type { StackUnderTest } from '../../../tests/e2e/stack-under-test.ts'
import { cpuPerRequest, readCpu } from '../cpu.ts'
import type { Platform } from './platform.ts'

export type Throughput = {
  what: string
  messages: number
  /** From the outbox into the broker, confirmed, while the subscribers are stopped. */
  publishedPerSecond: number
  /** From the outbox to the effect in the database of the last subscriber, everything running. */
  appliedPerSecond: number
  /** Processor time of everything, by part, for a message from the outbox to its effects. */
  cpuMs: Record<string, number>
}

const limitMs = 180_000
// Seldom enough to cost little beside what is measured.
const intervalMs = 50
// One transaction's worth: what the outbox is filled with at once.
const filling = 1_000
const keys = 100

const countOutbox = sql('lab.outbox', 'select count(*) as count from outbox')

/** What goes through an outbox, and how its last effect is known. */
export type Work = {
  what: string
  sender: Database
  subscribers: readonly string[]
  /** New messages at each call, and whether all of them have been applied. */
  create(count: number): { messages: OutgoingMessage[]; isApplied(): Promise<boolean> }
}

/** The rates of one way: into the broker, then all the way to the effects. */
export async function measureThroughput(
  { shop }: Platform,
  work: Work,
  count: number,
): Promise<Throughput> {
  const { what, sender, subscribers, create } = work
  const { stack } = shop
  const isEmpty = async () => (await sender.maybe<{ count: number }>(countOutbox))?.count === 0
  let publishedPerSecond = 0
  const backlog = create(count)
  await withoutAll(stack, subscribers, async () => {
    publishedPerSecond = count / (await secondsUntil(sender, backlog.messages, isEmpty))
  })
  await eventually(backlog.isApplied, { limitMs, intervalMs })
  const flow = create(count)
  const before = await readCpu(stack.processes())
  const seconds = await secondsUntil(sender, flow.messages, flow.isApplied)
  const cpuMs = cpuPerRequest(before, await readCpu(stack.processes()), count)
  return { what, messages: count, publishedPerSecond, appliedPerSecond: count / seconds, cpuMs }
}

/** Fills the outbox, all of it visible at once, and waits. */
async function secondsUntil(
  sender: Database,
  messages: readonly OutgoingMessage[],
  isDone: () => Promise<boolean>,
): Promise<number> {
  await sender.transaction(async (tx) => {
    for (let at = 0; at < messages.length; at += filling) {
      await appendOutbox(tx, messages.slice(at, at + filling))
    }
  })
  const startedAt = performance.now()
  await eventually(isDone, { limitMs, intervalMs })
  return (performance.now() - startedAt) / 1_000
}

async function withoutAll(
  stack: StackUnderTest,
  parts: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const [part, ...rest] = parts
  if (part === undefined) await work()
  else await stack.without(part, () => withoutAll(stack, rest, work))
}

const countForgotten = sql(
  'lab.forgotten',
  'select count(*) as count from credentials where subject_id = any ($1::uuid[])',
)

/** Commands that need no hashing and no sealing, so that it is the way that is measured. */
export function commands({ users, credentials }: Platform): Work {
  return {
    what: 'commands, customers → auth',
    sender: users,
    subscribers: ['auth'],
    create(count) {
      const subjectIds = Array.from({ length: count }, () => uuidv7())
      const at = new Date()
      return {
        messages: subjectIds.map((subjectId) =>
          createMessage(removeCredentials, { subjectId, version: 1 }, { id: uuidv7(), at }),
        ),
        async isApplied() {
          const row = await credentials.maybe<{ count: number }>(countForgotten, [subjectIds])
          return row?.count === count
        },
      }
    },
  }
}

const countNewest = sql(
  'lab.newest',
  `select count(*) as count from replica_products
   where product_id = any ($1::uuid[]) and version = $2`,
)

/** Price changes of a hundred products, each applied by carts and by wishlists. */
export function events({ products, carts, wishlists }: Platform): Work {
  return {
    what: 'events, products → carts and wishlists',
    sender: products,
    subscribers: ['carts', 'wishlists'],
    create(count) {
      const productIds = Array.from({ length: keys }, () => uuidv7())
      const variantIds = productIds.map(() => uuidv7())
      const at = new Date()
      const hasNewest = async (database: Database) => {
        const values = [productIds, Math.ceil(count / keys)]
        const row = await database.maybe<{ count: number }>(countNewest, values)
        return row?.count === keys
      }
      return {
        messages: Array.from({ length: count }, (_none, index) => {
          const version = Math.floor(index / keys) + 1
          const productId = productIds[index % keys] ?? ''
          const variantId = variantIds[index % keys] ?? ''
          const state = stateOf({ productId, variantId, version })
          return createMessage(priceChanged, state, { id: uuidv7(), at })
        }),
        isApplied: async () => (await hasNewest(carts)) && (await hasNewest(wishlists)),
      }
    },
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
