import { randomUUID } from 'node:crypto'
import { type Database, sql } from '../../src/database.ts'
import { uuidv7 } from '../../src/ids.ts'
import { inboxSchema, recordMessage } from '../../src/inbox.ts'
import type {
  Address,
  Backoff,
  Delivery,
  Handler,
  Message,
  Messaging,
  Outgoing,
  Subscription,
} from '../../src/messaging.ts'
import type { KitSchema } from '../../src/migrations.ts'
import { outboxSchema } from '../../src/outbox.ts'
import { type EventuallyOptions, eventually as repeat } from '../../src/testing.ts'

/** How to reach an adapter from any process: a module with `connect(options)`, and its options. */
export type Adapter = { module: string; options: Readonly<Record<string, unknown>> }
export type Source = { queue: string } | { topic: string; group: string }
export type ConsumerOrder = {
  adapter: Adapter
  instance: string
  effectsUrl: string
  consumer: string
  source: Source
  maxAttempts?: number
  /** Kills itself between its first effect and the acknowledgement. */
  dieAfterEffect?: boolean
  /** Kills itself as soon as it gets the message with this number. */
  dieOn?: number
}
export type Effect = { messageId: string; key: string; n: number; attempt: number }

const effectsSchema: KitSchema = {
  name: 'test/effects',
  versions: [
    `create table effects (
      place bigint generated always as identity primary key,
      consumer text not null,
      message_id uuid not null,
      key text not null,
      n integer not null,
      attempt integer not null
    );
    create index effects_consumer on effects (consumer)`,
  ],
}
/** What a consuming service's database has. */
export const serviceSchemas = [outboxSchema, inboxSchema, effectsSchema]

const insertEffect = sql(
  'test.insert_effect',
  'insert into effects (consumer, message_id, key, n, attempt) values ($1, $2, $3, $4, $5)',
)
const selectEffects = sql(
  'test.select_effects',
  `select message_id as "messageId", key, n, attempt from effects
   where consumer = $1 order by place limit 100000`,
)
const countEffects = sql(
  'test.count_effects',
  'select count(*) as count from effects where consumer = $1',
)

/** Opens one more instance over the adapter's broker. */
export async function connectAdapter(adapter: Adapter, instance: string): Promise<Messaging> {
  const { connect } = (await import(adapter.module)) as {
    connect(options: Record<string, unknown>): Messaging
  }
  return connect({ ...adapter.options, instance })
}

/** The effect that services have: once per message, in one transaction with its inbox row. */
export async function applyOnce(
  database: Database,
  consumer: string,
  delivery: Delivery,
): Promise<void> {
  const { message, attempt } = delivery
  const n = numberOf(delivery)
  await database.transaction(async (tx) => {
    if (!(await recordMessage(tx, message.id, consumer))) return
    await tx.run(insertEffect, [consumer, message.id, message.partitionkey, n, attempt])
  })
}

export function readEffects(database: Database, consumer: string): Promise<Effect[]> {
  return database.query<Effect>(selectEffects, [consumer])
}

export async function effectCount(database: Database, consumer: string): Promise<number> {
  const row = await database.maybe<{ count: number }>(countEffects, [consumer])
  return row?.count ?? 0
}

// A broker may take seconds to let a consumer in, and as long to notice that another one is gone.
const limitMs = 30_000

/** As the kit's, with the patience that every broker needs. */
export function eventually<T>(check: () => T | Promise<T>, options: EventuallyOptions = {}) {
  return repeat(check, { limitMs, ...options })
}

/** The number that tells the test messages apart. */
export function numberOf({ message }: Pick<Delivery, 'message'>): number {
  return (message.data as { n: number }).n
}

type ConsumeOptions = { maxAttempts?: number; backoff?: Backoff; outageMs?: number }

// Short limits, so that what a crash leaves behind is taken up again soon.
const limits = { deadlineMs: 1_000, backoff: { baseMs: 20, maxMs: 100 } }

/** Consumes a queue, or a topic from its start. */
export function consume(
  messaging: Messaging,
  source: Source,
  handler: Handler,
  options: ConsumeOptions = {},
): Subscription {
  const shared = { handler, ...limits, ...options }
  return 'queue' in source
    ? messaging.consumeQueue({ ...source, ...shared })
    : messaging.subscribeTopic({ ...source, from: 'start', ...shared })
}

/** A queue and a topic of their own, for what must hold for both. */
export function sources(): [Address['kind'], Source][] {
  const name = unique('both')
  return [
    ['queue', { queue: name }],
    ['topic', { topic: name, group: 'g' }],
  ]
}

export function toAddress(source: Source): Address {
  return 'queue' in source
    ? { kind: 'queue', name: source.queue }
    : { kind: 'topic', name: source.topic }
}

export function aMessage(n: number, key = 'a'): Message {
  return {
    specversion: '1.0',
    id: uuidv7(),
    source: '/test',
    type: 'halles.test.counted.v1',
    subject: key,
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    partitionkey: key,
    data: { n },
  }
}

/** Messages 1…count, spread over the keys in turn. */
export function someMessages(address: Address, count: number, keys = ['a']): Outgoing[] {
  return Array.from({ length: count }, (_, index) => ({
    address,
    message: aMessage(index + 1, keys[index % keys.length]),
  }))
}

/** Retries at once, and never within a test. */
export const soon = { baseMs: 1, maxMs: 10 }
export const never = { baseMs: 3_600_000, maxMs: 3_600_000 }

export function unique(name: string): string {
  return `${name}-${randomUUID().slice(0, 8)}`
}

export function numbersOf(deliveries: readonly Delivery[]): number[] {
  return deliveries.map(numberOf)
}
