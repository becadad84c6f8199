import { test } from 'node:test'
import { createTestDatabase } from '../../src/testing.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import { messagingContract } from './contract.ts'
import { unique } from './effects.ts'
import { dropAll, rabbitmqUrl, whyNoRabbitmq } from './rabbitmq-adapter.ts'

if (rabbitmqUrl === undefined) {
  test('the contract of the messaging port on RabbitMQ', { skip: whyNoRabbitmq })
} else {
  messagingContract('queues on RabbitMQ beside embedded topics', createHarness)
}

async function createHarness() {
  const prefix = unique('test')
  const topics = await createTestDatabase()
  const broker = new URL(rabbitmqUrl ?? '')
  const proxy = await startTcpProxy(broker.hostname, Number(broker.port || 5672))
  const amqpUrl = new URL(broker)
  amqpUrl.host = `127.0.0.1:${proxy.port}`
  return {
    adapter: {
      module: new URL('./rabbitmq-adapter.ts', import.meta.url).href,
      options: { amqpUrl: amqpUrl.href, prefix, url: topics.url },
    },
    away: proxy.away,
    back: proxy.back,
    async stop() {
      await proxy.away()
      await dropAll(prefix)
      await topics.drop()
    },
  }
}
