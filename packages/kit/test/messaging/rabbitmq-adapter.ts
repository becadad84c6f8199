import { Connection } from 'rabbitmq-client'
import { combineMessaging } from '../../src/messaging/combined.ts'
import { createRabbitmqQueues, type RabbitmqOptions } from '../../src/messaging/rabbitmq.ts'
import type { Messaging, Queues } from '../../src/messaging.ts'
import { silentLogger } from '../../src/testing.ts'
import { connect as connectPostgres, embeddedPollMs } from './postgres-adapter.ts'

/** The URL of a RabbitMQ to test with. */
export const rabbitmqUrl = process.env.HALLES_TEST_AMQP_URL
export const whyNoRabbitmq = 'no RabbitMQ: HALLES_TEST_AMQP_URL is not set'

const usedQueues = new Set<string>()

/** Queues on RabbitMQ; their names are remembered for {@link dropAll}. */
export function connectQueues(
  options: Pick<RabbitmqOptions, 'url' | 'prefix' | 'instance'> & Partial<RabbitmqOptions>,
): Queues {
  const queues = createRabbitmqQueues({
    service: 'tester',
    logger: silentLogger(),
    drainMs: 2_000,
    ...options,
  })
  return {
    ...queues,
    publisher: {
      publish(items) {
        for (const { address } of items) usedQueues.add(address.name)
        return queues.publisher.publish(items)
      },
    },
    consumeQueue(consumer) {
      usedQueues.add(consumer.queue)
      return queues.consumeQueue(consumer)
    },
  }
}

/** Opens queues on RabbitMQ beside embedded topics, as the contract suite and its processes do. */
export function connect(options: {
  amqpUrl: string
  prefix: string
  url: string
  instance: string
}): Messaging {
  const { amqpUrl, prefix, url, instance } = options
  return combineMessaging(
    connectQueues({ url: amqpUrl, prefix, instance }),
    connectPostgres({ url, instance, pollMs: embeddedPollMs }),
  )
}

/** A bare connection to the broker, for what an operator does by hand. */
export async function withBroker<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = new Connection(rabbitmqUrl ?? '')
  connection.on('error', () => undefined)
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}

/** Removes what the tests of this process left on the broker. */
export function dropAll(prefix: string): Promise<void> {
  return withBroker(async (connection) => {
    for (const queue of [...usedQueues, `${prefix}.dead-letters`]) {
      await connection.queueDelete(queue)
    }
    await connection.exchangeDelete({ exchange: `${prefix}.dead-letters` })
    await connection.exchangeDelete({ exchange: `${prefix}.commands` })
  })
}
