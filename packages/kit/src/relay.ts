import type { Counter } from 'prom-client'
import { type Database, sql, type Tx } from './database.ts'
import { AppError } from './errors.ts'
import { createListener } from './listener.ts'
import type { Logger } from './logging.ts'
import { createLoop, type Loop } from './loop.ts'
import type { Address, Message, Publisher } from './messaging.ts'
import type { Metrics } from './metrics.ts'
import { messageFacts } from './span-facts.ts'
import { type OpenSpan, openSpan, type Tracer, toErrorType } from './spans.ts'
import { formatTraceparent, parseTraceparent } from './trace.ts'

/** The channel on which a commit with outbox rows is announced, one notification for each kind. */
export const outboxChannel = 'outbox'

export type RelayOptions = {
  /** The service's own database, where the outbox is. */
  database: Database
  /** The same database, for the connection that listens. */
  listenUrl: string
  publisher: Publisher
  logger: Logger
  /** Gets `messages_sent_total` and the gauges `outbox_rows` and `outbox_oldest_age_seconds`. */
  metrics?: Metrics
  /** Told of each message that is published. */
  tracer?: Tracer | undefined
  /** Messages published at once. Default 500: one confirm pays for many, memory stays small. */
  batchSize?: number
  /**
   * The back-stop poll. Default 3 s: it only matters for a notification that was lost with its
   * connection, or a replica that died while it held the relay's lock.
   */
  pollMs?: number
  /** How long a broker may take to confirm a batch. Default 10 s: the transaction is open meanwhile. */
  publishTimeoutMs?: number
}

export type OutboxStats = { rows: number; oldestAgeSeconds: number }

export type Relay = {
  name: string
  start(): Promise<void>
  stop(): Promise<void>
  /** What waits to be published; for gauges and alerts. */
  stats(): Promise<OutboxStats>
}

type OutboxRow = { id: number; name: string; message: Message }

// The kinds may be with different brokers, so that neither waits for the other's. Of each, one relay
// at a time per database keeps the order; its lock goes with its transaction, so a replica that dies
// is replaced at once.
const lockKeys = { queue: 4_801_297_311, topic: 4_801_297_312 } as const
// A deletion that a crash of the server undoes only repeats a batch, so it need not be flushed.
const lead = sql(
  'kit.relay_lead',
  `select pg_try_advisory_xact_lock($1) as leads,
    set_config('idle_in_transaction_session_timeout', $2, true),
    set_config('synchronous_commit', 'off', true)`,
)
const selectBatch = sql(
  'kit.relay_batch',
  `select id, address_name as name, message
   from outbox where address_kind = $1 order by id limit $2`,
)
const removeBatch = sql(
  'kit.relay_remove',
  'delete from outbox where address_kind = $1 and id = any ($2::bigint[])',
)
const selectStats = sql(
  'kit.outbox_stats',
  `select count(*) as rows,
    coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0)::float8 as "oldestAgeSeconds"
   from outbox`,
)

const standby = -1
// The leader may die over what this replica was woken for.
const standbyMs = 500
// Broker outages last seconds to hours: try soon, then every couple of seconds.
const backoff = { baseMs: 100, maxMs: 2_000 }

async function withTimeout(work: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(
        new AppError('unavailable', 'MESSAGES_TIMEOUT', 'The broker took too long to confirm.'),
      )
    }, timeoutMs)
  })
  try {
    await Promise.race([work, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** A message on its way to the broker. Who gets it is below the span of its sending. */
type Sending = { name: string; message: Message; span: OpenSpan | undefined }

function openSending(name: string, message: Message, tracer: Tracer | undefined): Sending {
  const trace = tracer && parseTraceparent(message.traceparent)
  if (!trace?.isSampled) return { name, message, span: undefined }
  const span = openSpan('producer', { trace, tracer })
  return { name, message: { ...message, traceparent: formatTraceparent(span.trace) }, span }
}

async function tellSendings(
  sendings: readonly Sending[],
  publish: () => Promise<void>,
): Promise<void> {
  let errorType: string | undefined
  try {
    await publish()
  } catch (error) {
    errorType = toErrorType(error)
    throw error
  } finally {
    for (const { name, message, span } of sendings) {
      span?.end(() => messageFacts({ operation: 'send', name, message, errorType }))
    }
  }
}

/** The counter of published messages, by `kind` and `name` of their address. */
export const sentMetric = 'messages_sent_total'

/** The loop that publishes the rows of one kind. */
function createLane(kind: Address['kind'], options: RelayOptions, sent: Counter | undefined): Loop {
  const { database, publisher, logger, tracer } = options
  const { batchSize = 500, pollMs = 3_000, publishTimeoutMs = 10_000 } = options
  // The server must outwait the publisher, or it would roll back what is about to be confirmed.
  const idleTimeout = `${publishTimeoutMs + 5_000}ms`

  // The transaction stays open while the broker confirms, against the rule of the house: it holds
  // only rows that no request touches, and is bounded by publishTimeoutMs.
  async function publishBatch(tx: Tx): Promise<number> {
    const { leads } = await tx.one<{ leads: boolean }>(lead, [lockKeys[kind], idleTimeout], noRow)
    if (!leads) return standby
    const rows = await tx.query<OutboxRow>(selectBatch, [kind, batchSize])
    if (rows.length === 0) return 0
    const sendings = rows.map(({ name, message }) => openSending(name, message, tracer))
    const items = sendings.map(({ name, message }) => ({ address: { kind, name }, message }))
    await tellSendings(sendings, () => withTimeout(publisher.publish(items), publishTimeoutMs))
    await tx.run(removeBatch, [kind, rows.map(({ id }) => id)])
    for (const { name } of rows) sent?.inc({ kind, name })
    return rows.length
  }

  return createLoop({
    name: `relay ${kind}`,
    logger,
    backoff,
    async round() {
      const published = await database.transaction(publishBatch, { maxAttempts: 1 })
      if (published === standby) return Math.min(standbyMs, pollMs)
      return published === batchSize ? 0 : pollMs
    },
  })
}

/**
 * Publishes the outbox in order and deletes what the broker has confirmed: at least once, since a
 * crash between the two repeats the batch. Run it in every replica; for each kind of address one at
 * a time leads.
 */
export function createRelay(options: RelayOptions): Relay {
  const { database, listenUrl, logger } = options
  const sent = options.metrics?.counter({
    name: sentMetric,
    help: 'Messages that the broker has confirmed, by where they went.',
    labels: ['kind', 'name'],
  })
  const lanes = {
    queue: createLane('queue', options, sent),
    topic: createLane('topic', options, sent),
  }

  function onNotify(kind: string | undefined): void {
    if (kind !== 'topic') lanes.queue.wake()
    if (kind !== 'queue') lanes.topic.wake()
  }

  const listener = createListener({
    url: listenUrl,
    channel: outboxChannel,
    applicationName: 'relay',
    logger,
    onNotify,
  })
  const stats = () => database.one<OutboxStats>(selectStats, [], noRow)
  if (options.metrics) measure(options.metrics, stats, logger)
  return {
    name: 'relay',
    async start() {
      listener.start()
      lanes.queue.start()
      lanes.topic.start()
    },
    async stop() {
      await listener.stop()
      await Promise.all([lanes.queue.stop(), lanes.topic.stop()])
    },
    stats,
  }
}

function measure(metrics: Metrics, stats: () => Promise<OutboxStats>, logger: Logger): void {
  const age = metrics.gauge({
    name: 'outbox_oldest_age_seconds',
    help: 'How long the oldest message has waited to be published.',
  })
  metrics.gauge({
    name: 'outbox_rows',
    help: 'Messages that wait to be published.',
    async collect(rows) {
      try {
        const { rows: count, oldestAgeSeconds } = await stats()
        rows.set(count)
        age.set(oldestAgeSeconds)
      } catch (error) {
        // The rest of the scrape is worth having while the database is away.
        rows.set(Number.NaN)
        age.set(Number.NaN)
        logger.debug({ err: error }, 'the outbox could not be measured')
      }
    },
  })
}

function noRow(): Error {
  return new Error('A statement that always has one row returned none.')
}
