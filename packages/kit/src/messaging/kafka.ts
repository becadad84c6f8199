import type { Logger } from '../logging.ts'
import type { TopicSettings, Topics } from '../messaging.ts'
import type { Metrics } from '../metrics.ts'

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
  /** How the topics are created; one that is not named gets the adapter's defaults. */
  topics: Readonly<Record<string, TopicSettings>>
  /** How long `stop` waits for messages in hand before they are given back. Default 10 s. */
  drainMs?: number
}

/** The adapter of the messaging port for topics on Kafka. */
export function createKafkaTopics(_options: KafkaOptions): Topics {
  throw new Error('Kafka is not supported yet.')
}
