import { combineMessaging } from '../../src/messaging/combined.ts'
import { createKafkaTopics } from '../../src/messaging/kafka.ts'
import type { Messaging } from '../../src/messaging.ts'
import { silentLogger } from '../../src/testing.ts'
import { connect as connectPostgres, embeddedPollMs } from './postgres-adapter.ts'

export type KafkaProxied = { listenPort: number; advertisedPort: number }

const [listenPort, advertisedPort] = (process.env.HALLES_TEST_KAFKA_PROXIED ?? '')
  .split(':')
  .map(Number)
/** A Kafka to test on. */
export const kafkaBrokers = process.env.HALLES_TEST_KAFKA_BROKERS?.split(',')
/** Its second listener, which sends clients to a port where a test may put a proxy. */
export const kafkaProxied =
  listenPort && advertisedPort ? { listenPort, advertisedPort } : undefined
export const whyNoKafka =
  'there is no Kafka: HALLES_TEST_KAFKA_BROKERS and HALLES_TEST_KAFKA_PROXIED are not both set'

/** Opens Kafka for topics, beside the embedded adapter for queues. */
export function connect(options: { url: string; brokers: string[]; instance: string }): Messaging {
  const { url, brokers, instance } = options
  const topics = createKafkaTopics({
    brokers,
    instance,
    service: 'tester',
    logger: silentLogger(),
    topics: {},
    drainMs: 2_000,
  })
  return combineMessaging(connectPostgres({ url, instance, pollMs: embeddedPollMs }), topics)
}
