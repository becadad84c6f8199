import { createDatabase } from '../database.ts'
import { toLimits } from '../delivery.ts'
import { AppError } from '../errors.ts'
import { createListener } from '../listener.ts'
import type { Logger } from '../logging.ts'
import type { Messaging, Publisher, Subscription, TopicSettings } from '../messaging.ts'
import type { Metrics } from '../metrics.ts'
import { migrate } from '../migrations.ts'
import { toMessageRows } from '../outbox.ts'
import type { Tracer } from '../spans.ts'
import { createHandlerMeter } from './meter.ts'
import { createDeadLetters, readStats, replayQueue } from './postgres/admin.ts'
import { createBroadcastConsumer, replayTopic } from './postgres/broadcast.ts'
import { createGate } from './postgres/gate.ts'
import { createPruner } from './postgres/pruner.ts'
import { type Broker, type Consumer, createQueueConsumer } from './postgres/queue.ts'
import { brokerChannel, brokerSchema, publishMessages } from './postgres/schema.ts'
import { createGroupConsumer } from './postgres/topic.ts'

export type PostgresMessagingOptions = {
  /** The broker's database, apart from every service's own. */
  url: string
  service: string
  instance: string
  logger: Logger
  /** Gets the histogram `message_handling_seconds`. */
  metrics?: Metrics
  /** Told of each try at a message. */
  tracer?: Tracer | undefined
  /** Connections for publishing, claims and acknowledgements. Default 4. */
  poolSize?: number
  /**
   * How long a claim protects a message in hand. Default 15 s: after a crash its messages wait as
   * long. A queue whose `deadlineMs` is longer gets a lease that outlasts it.
   */
  leaseMs?: number
  /** The back-stop poll. Default 5 s: it only matters for a notification that was lost. */
  pollMs?: number
  /** How long `stop` waits for messages in hand before they are given back. Default 10 s. */
  drainMs?: number
  /** How long each topic's messages are kept; one that is not named is compacted. */
  topics?: Readonly<Record<string, TopicSettings>>
  /** Age after which a superseded topic message may go. Default 7 days. */
  retentionSeconds?: number
}

// Partitions in hand per group and process: more than the cores of a process gain nothing.
const groupConcurrency = 2
// What a lease leaves for recording the outcome after the handler's deadline.
const leaseMarginMs = 1_000

/**
 * The embedded adapter of the messaging port: queues and topics in a PostgreSQL database of their
 * own, woken by LISTEN/NOTIFY. Delivers at least once; keeps order per key on topics.
 */
export function createPostgresMessaging(options: PostgresMessagingOptions): Messaging {
  const { url, service, instance, logger } = options
  const { poolSize = 4, leaseMs = 15_000, pollMs = 5_000, drainMs = 10_000 } = options
  const applicationName = `${service} ${instance} messages`
  const database = createDatabase({
    url,
    logger,
    applicationName,
    poolSize,
    // An outcome that is lost with a crash of the server means one more delivery, which the port
    // allows; publishing, which must not be lost, turns the flush on again.
    // Statistics taken while a queue was empty make scanning the whole table look cheap, dead rows
    // included; every statement here has an index.
    settings: { synchronous_commit: 'off', enable_seqscan: 'off' },
  })
  const giveUp = new AbortController()
  const consumers = createConsumers()
  let preparation: Promise<void> | undefined

  function prepare(): Promise<void> {
    preparation ??= migrate(database, { schemas: [brokerSchema] }).catch((error: unknown) => {
      preparation = undefined
      throw error
    })
    return preparation
  }

  const broker: Broker = {
    ...{ database, logger, service, prepare, pollMs },
    givingUp: giveUp.signal,
    gate: createGate(),
  }
  const pruner = createPruner({
    database,
    logger,
    prepare,
    topics: options.topics ?? {},
    retentionSeconds: options.retentionSeconds ?? 7 * 86_400,
  })
  const listener = createListener({
    url,
    channel: brokerChannel,
    applicationName,
    logger,
    onNotify: consumers.wake,
  })
  const measured = createHandlerMeter(options.metrics, { ...options, system: 'postgresql' })

  return {
    name: 'messaging',
    publisher: createPublisher(database, prepare),
    consumeQueue({ queue, prefetch = 10, ...rest }) {
      const handler = measured(queue, rest.handler)
      const limits = toLimits(rest)
      const origin = { kind: 'queue' as const, name: queue }
      const lease = leaseFor(leaseMs, limits.deadlineMs)
      const consumer = createQueueConsumer({
        broker,
        queue,
        origin,
        handler,
        limits,
        prefetch,
        leaseMs: lease,
      })
      return consumers.add([{ target: `queue:${queue}`, consumer }])
    },
    subscribeTopic({ topic, group, from, ...rest }) {
      const handler = measured(topic, rest.handler)
      const limits = toLimits(rest)
      const target = `topic:${topic}`
      if (group === undefined) {
        const consumer = createBroadcastConsumer({ broker, topic, from, handler, limits })
        return consumers.add([{ target, consumer }])
      }
      // A partition in hand keeps a connection; publishing and queues must not wait for those.
      database.pool.options.max += groupConcurrency
      const shared = { broker, handler, limits }
      const consumer = createGroupConsumer({
        ...shared,
        topic,
        group,
        from,
        concurrency: groupConcurrency,
      })
      const queue = replayQueue(topic, group)
      const replays = createQueueConsumer({
        ...shared,
        queue,
        origin: { kind: 'topic', name: topic, group },
        prefetch: 1,
        leaseMs: leaseFor(leaseMs, limits.deadlineMs),
      })
      return consumers.add([
        { target, consumer },
        { target: `queue:${queue}`, consumer: replays },
      ])
    },
    async replayTopic(replay) {
      await prepare()
      return replayTopic(broker, replay)
    },
    deadLetters: createDeadLetters(database, logger, prepare),
    async stats() {
      await prepare()
      return readStats(database)
    },
    async start() {
      listener.start()
      pruner.start()
      consumers.start()
    },
    async stop() {
      const timer = setTimeout(() => giveUp.abort(new Error('The process is stopping.')), drainMs)
      await consumers.stop()
      clearTimeout(timer)
      await pruner.stop()
      await listener.stop()
      await database.close()
    },
  }
}

type Part = { target: string; consumer: Consumer }

/** The consumers of this process by what wakes them: `queue:<name>` or `topic:<name>`. */
function createConsumers() {
  const parts = new Set<Part>()
  let isStarted = false

  async function stop(some: readonly Part[]): Promise<void> {
    for (const part of some) parts.delete(part)
    await Promise.all(some.map(({ consumer }) => consumer.stop()))
  }

  return {
    add(some: readonly Part[]): Subscription {
      for (const part of some) {
        parts.add(part)
        if (isStarted) part.consumer.start()
      }
      return {
        ready: Promise.all(some.map(({ consumer }) => consumer.ready)).then(() => undefined),
        stop: () => stop(some),
      }
    },
    /** Without a target, after the listener was away: anything may have happened. */
    wake(target: string | undefined): void {
      for (const part of parts) {
        if (target === undefined || part.target === target) part.consumer.wake()
      }
    },
    start(): void {
      if (isStarted) return
      isStarted = true
      for (const { consumer } of parts) consumer.start()
    },
    stop: () => stop([...parts]),
  }
}

function leaseFor(leaseMs: number, deadlineMs: number): number {
  return Math.max(leaseMs, deadlineMs + leaseMarginMs)
}

function createPublisher(
  database: ReturnType<typeof createDatabase>,
  prepare: () => Promise<void>,
): Publisher {
  return {
    async publish(items) {
      if (items.length === 0) return
      try {
        await prepare()
        await database.run(publishMessages, [toMessageRows(items)])
      } catch (error) {
        if (!(error instanceof AppError && error.kind === 'unavailable')) throw error
        throw new AppError(
          'unavailable',
          'MESSAGES_UNAVAILABLE',
          'The message broker cannot be reached at the moment.',
          { retryAfterSeconds: 1, cause: error },
        )
      }
    },
  }
}
