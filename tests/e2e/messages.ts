import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { topics } from '@halles/contracts/gen/topics'
import type { Messaging } from '@halles/kit/messaging'
import { createMessaging } from '@halles/kit/messaging/connect'
import { createMetrics } from '@halles/kit/metrics'
import { silentLogger } from '@halles/kit/testing'
import type { StackUnderTest } from './stack-under-test.ts'

type Brokers = { amqpUrl?: string; kafkaBrokers?: string }
type Secrets = { databases: Record<string, string> }

/**
 * A hand in the messages of the stack under test, whatever carries them, in the name of a service.
 * Whoever takes it stops it.
 */
export function openMessages(stack: StackUnderTest, service: string): Messaging {
  const hasBrokers = existsSync(join(stack.dataFolder, 'brokers.json'))
  const { amqpUrl, kafkaBrokers } = hasBrokers ? (stack.readJson('brokers.json') as Brokers) : {}
  return createMessaging({
    config: {
      amqpUrl,
      messagesUrl: messagesUrl(stack),
      kafkaBrokers: kafkaBrokers?.split(',') ?? [],
      kafkaSaslMechanism: 'SCRAM-SHA-512',
      kafkaTls: false,
    },
    service,
    instance: 'stand-in',
    logger: silentLogger(),
    metrics: createMetrics({ service }),
    topics,
  })
}

/** The database of embedded messages; nobody listens to it where brokers carry them. */
function messagesUrl(stack: StackUnderTest): string {
  const { databases } = stack.readJson('secrets.json') as Secrets
  const [{ ports } = { ports: {} }] = stack.processes('postgres')
  const [port] = Object.values(ports)
  return `postgres://messages:${databases.messages}@127.0.0.1:${port}/messages`
}
