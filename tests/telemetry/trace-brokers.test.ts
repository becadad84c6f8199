import { test } from 'node:test'
import { purchaseAsTrees } from './purchase.ts'

const { HALLES_TEST_AMQP_URL: amqpUrl, HALLES_TEST_KAFKA_BROKERS: kafkaBrokers } = process.env

if (amqpUrl === undefined || kafkaBrokers === undefined) {
  const skip = 'HALLES_TEST_AMQP_URL and HALLES_TEST_KAFKA_BROKERS are not both set'
  test('a purchase is one tree through RabbitMQ and Kafka', { skip })
} else {
  purchaseAsTrees(
    { AMQP_URL: amqpUrl, KAFKA_BROKERS: kafkaBrokers },
    { topics: 'kafka', queues: 'rabbitmq' },
  )
}
