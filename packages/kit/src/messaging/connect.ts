import { ConfigError } from '../config.ts'
import type { Logger } from '../logging.ts'
import type { Messaging, TopicSettings } from '../messaging.ts'
import type { Metrics } from '../metrics.ts'
import type { Tracer } from '../spans.ts'
import { combineMessaging } from './combined.ts'
import { createKafkaTopics } from './kafka.ts'
import { createPostgresMessaging } from './postgres.ts'
import { createRabbitmqQueues } from './rabbitmq.ts'

/** Where the brokers are: RabbitMQ and Kafka where they are given, PostgreSQL for the rest. */
export type BrokerConfig = {
  readonly messagesUrl?: string | undefined
  readonly amqpUrl?: string | undefined
  readonly kafkaBrokers: readonly string[]
  readonly kafkaUsername?: string | undefined
  readonly kafkaPassword?: string | undefined
  readonly kafkaSaslMechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly kafkaTls: boolean
  readonly kafkaTlsCa?: string | undefined
}

export type MessagingOptions = {
  config: BrokerConfig
  service: string
  instance: string
  logger: Logger
  metrics: Metrics
  tracer?: Tracer | undefined
  /** How the topics of the platform are kept, by name. */
  topics: Readonly<Record<string, TopicSettings>>
  /** Queues that `stats` tells of though this process uses none; only RabbitMQ has to be asked. */
  queues?: readonly string[]
}

/**
 * The messaging of a process, with the adapters that its configuration asks for.
 * Throws ConfigError when no broker is given for queues or for topics.
 */
export function createMessaging(options: MessagingOptions): Messaging {
  const { config, topics, queues = [], ...common } = options
  const { messagesUrl, amqpUrl, kafkaBrokers } = config
  const hasKafka = kafkaBrokers.length > 0
  const rabbitmq = amqpUrl ? createRabbitmqQueues({ ...common, url: amqpUrl, queues }) : undefined
  const kafka = hasKafka
    ? createKafkaTopics({ ...common, topics, ...toKafkaAccess(config) })
    : undefined
  if (rabbitmq && kafka) return combineMessaging(rabbitmq, kafka)
  if (messagesUrl === undefined) {
    const detail = 'is missing; it may be left out only where AMQP_URL and KAFKA_BROKERS are set.'
    throw new ConfigError([{ variable: 'MESSAGES_URL', detail }])
  }
  const embedded = createPostgresMessaging({ ...common, url: messagesUrl, topics })
  if (!rabbitmq && !kafka) return embedded
  return combineMessaging(rabbitmq ?? embedded, kafka ?? embedded)
}

function toKafkaAccess(config: BrokerConfig) {
  const { kafkaUsername: username, kafkaPassword: password, kafkaTlsCa: ca } = config
  return {
    brokers: config.kafkaBrokers,
    ...(username !== undefined &&
      password !== undefined && {
        sasl: { mechanism: config.kafkaSaslMechanism, username, password },
      }),
    ...(config.kafkaTls && { tls: ca === undefined ? {} : { ca } }),
  }
}
