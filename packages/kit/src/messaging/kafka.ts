import { toLimits } from '../delivery.ts'
import type { Logger } from '../logging.ts'
import type { DeadLetter, Subscription, TopicSettings, Topics } from '../messaging.ts'
import type { Metrics } from '../metrics.ts'
import type { Tracer } from '../spans.ts'
import { createDeadLetterIndex } from './dead-letter-index.ts'
import { createConnector } from './kafka/client.ts'
import { createDeadLetterLog, createRedelivery } from './kafka/dead-letters.ts'
import { type Consumer, createGroupConsumer } from './kafka/group.ts'
import { createPrivateConsumer, replayTopic } from './kafka/private.ts'
import { createKafkaPublisher } from './kafka/publisher.ts'
import { createTopicStats } from './kafka/stats.ts'
import { createTopicRegistry } from './kafka/topics.ts'
import { createHandlerMeter } from './meter.ts'

export type KafkaOptions = {
  /** `host:port` of some brokers of the cluster. */
  brokers: readonly string[]
  sasl?: {
    mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
    username: string
    password: string
  }
  /** Present for TLS; `ca` in PEM when the system does not know it. */
  tls?: { ca?: string }
  service: string
  instance: string
  logger: Logger
  /** Gets the histogram `message_handling_seconds`. */
  metrics?: Metrics
  /** Told of each try at a message. */
  tracer?: Tracer | undefined
  /** How the topics are created; one that is not named gets the adapter's defaults. */
  topics: Readonly<Record<string, TopicSettings>>
  /** How long `stop` waits for messages in hand before they are given back. Default 10 s. */
  drainMs?: number
}

/**
 * The adapter of the messaging port for topics on Kafka 3.1 or newer. Delivers at least once and
 * keeps order per key; connects with the first use.
 */
export function createKafkaTopics(options: KafkaOptions): Topics {
  const { service, logger, drainMs = 10_000 } = options
  const connector = createConnector(options)
  const admin = connector.open('admin')
  const registry = createTopicRegistry(admin, options.topics)
  const publisher = createKafkaPublisher(connector.open('publisher'), registry)
  const log = createDeadLetterLog(connector, registry, publisher)
  const letters = createDeadLetterIndex({ log, redeliver: createRedelivery(publisher), logger })
  const readLag = createTopicStats(admin)
  const measured = createHandlerMeter(options.metrics, { ...options, system: 'kafka' })
  const consumers = createConsumers()
  const giveUp = new AbortController()
  const shared = { connector, registry, service, logger, givingUp: giveUp.signal }

  return {
    publisher,
    subscribeTopic({ topic, group, from, handler, ...rest }) {
      const own = {
        ...shared,
        topic,
        from,
        handler: measured(topic, handler),
        limits: toLimits(rest),
      }
      if (group === undefined) return consumers.add(createPrivateConsumer(own))
      const bury = (letter: DeadLetter) => log.append({ kind: 'letter', letter })
      return consumers.add(createGroupConsumer({ ...own, group, bury }))
    },
    replayTopic: (replay) => replayTopic(connector, replay, giveUp.signal),
    deadLetters: letters,
    async stats() {
      const [topics, deadLetters] = await Promise.all([readLag(), letters.count()])
      return { queues: [], topics, deadLetters }
    },
    async start() {
      consumers.start()
    },
    async stop() {
      const timer = setTimeout(() => giveUp.abort(new Error('The process is stopping.')), drainMs)
      await consumers.stop()
      clearTimeout(timer)
      giveUp.abort(new Error('The process is stopping.'))
      await letters.stop()
      await publisher.stop()
      await admin.close()
    },
  }
}

/** The consumers of this process; none begins before `start`. */
function createConsumers() {
  const consumers = new Set<Consumer>()
  let isStarted = false

  async function stop(consumer: Consumer): Promise<void> {
    if (!consumers.delete(consumer)) return
    await consumer.stop()
  }

  return {
    add(consumer: Consumer): Subscription {
      consumers.add(consumer)
      if (isStarted) consumer.start()
      return { ready: consumer.ready, stop: () => stop(consumer) }
    },
    start(): void {
      if (isStarted) return
      isStarted = true
      for (const consumer of consumers) consumer.start()
    },
    async stop(): Promise<void> {
      await Promise.all([...consumers].map(stop))
    },
  }
}
