import type { StackUnderTest } from '../e2e/stack-under-test.ts'

/** Where the brokers are, as a service's configuration says it. */
export type BrokerAccess = {
  messagesUrl?: string
  amqpUrl?: string
  kafkaBrokers: readonly string[]
}

/**
 * What the platform under test talks over: RabbitMQ and Kafka as parts of its stack, where they can
 * be killed, or with HALLES_TEST_BROKERS=none what it has embedded.
 */
export const brokersUnderTest = process.env.HALLES_TEST_BROKERS === 'none' ? embedded() : local()

function embedded() {
  return {
    skip: 'HALLES_TEST_BROKERS=none: the embedded queue lives in PostgreSQL, there is no broker',
    stackArguments: [],
    access: (_stack: StackUnderTest, messagesUrl: string): BrokerAccess => ({
      messagesUrl,
      kafkaBrokers: [],
    }),
  }
}

function local() {
  return {
    skip: false as const,
    stackArguments: ['--brokers'],
    access(stack: StackUnderTest): BrokerAccess {
      const { amqpUrl, kafkaBrokers } = stack.readJson('brokers.json') as {
        amqpUrl: string
        kafkaBrokers: string | readonly string[]
      }
      return { amqpUrl, kafkaBrokers: [kafkaBrokers].flat() }
    },
  }
}
