import { randomUUID } from 'node:crypto'
import type { OutgoingMessage } from '@halles/contracts/message'
import { toOutboxRows } from '@halles/kit/outbox'
import pg from 'pg'
import type { StackUnderTest } from '../../../tests/e2e/stack-under-test.ts'

/** Confirmed messages a second of the bare client, to the same broker and in the same run. */
export type Yardstick = { what: string; perSecond: number }

// As many as the relay publishes at once.
const atOnce = 200

export type Access = { stack: StackUnderTest; postgresUrl: string }
type Publish = (messages: readonly OutgoingMessage[]) => Promise<unknown>

async function rate(messages: readonly OutgoingMessage[], publish: Publish): Promise<number> {
  // The first ones compile the client and open its connection.
  await publish(messages.slice(0, atOnce))
  const startedAt = performance.now()
  for (let at = 0; at < messages.length; at += atOnce) {
    await publish(messages.slice(at, at + atOnce))
  }
  return (messages.length * 1_000) / (performance.now() - startedAt)
}

/** `rabbitmq-client` alone: persistent messages to a quorum queue, each confirmed. */
export async function measureRabbitmq(
  { stack }: Access,
  messages: readonly OutgoingMessage[],
): Promise<Yardstick> {
  const { Connection } = await import('rabbitmq-client')
  const { amqpUrl } = stack.readJson('brokers.json') as { amqpUrl: string }
  const queue = `yardstick-${randomUUID()}`
  const connection = new Connection(amqpUrl)
  try {
    await connection.queueDeclare({
      queue,
      durable: true,
      arguments: { 'x-queue-type': 'quorum' },
    })
    const publisher = connection.createPublisher({ confirm: true })
    const perSecond = await rate(messages, (some) =>
      Promise.all(
        some.map(({ message }) =>
          publisher.send({ routingKey: queue, durable: true }, JSON.stringify(message)),
        ),
      ),
    )
    await connection.queueDelete(queue)
    await publisher.close()
    return { what: 'rabbitmq-client alone', perSecond }
  } finally {
    await connection.close()
  }
}

/** `@platformatic/kafka` alone: batches that every replica has acknowledged. */
export async function measureKafka(
  { stack }: Access,
  messages: readonly OutgoingMessage[],
): Promise<Yardstick> {
  const { Admin, Producer, stringSerializers } = await import('@platformatic/kafka')
  const { kafkaBrokers } = stack.readJson('brokers.json') as { kafkaBrokers: string | string[] }
  const access = { clientId: 'yardstick', bootstrapBrokers: [kafkaBrokers].flat() }
  const topic = `yardstick-${randomUUID()}`
  const admin = new Admin(access)
  const producer = new Producer({ ...access, serializers: stringSerializers, idempotent: true })
  try {
    await admin.createTopics({ topics: [topic], partitions: 12, replicas: 1 })
    const perSecond = await rate(messages, (some) =>
      producer.send({
        acks: -1,
        messages: some.map(({ message }) => ({
          topic,
          key: message.partitionkey,
          value: JSON.stringify(message),
        })),
      }),
    )
    await admin.deleteTopics({ topics: [topic] })
    return { what: '@platformatic/kafka alone', perSecond }
  } finally {
    await producer.close()
    await admin.close()
  }
}

/** `pg` alone: batches inserted into a table of the same database, flushed to disk. */
export async function measurePostgres(
  { postgresUrl }: Access,
  messages: readonly OutgoingMessage[],
): Promise<Yardstick> {
  const client = new pg.Client({ connectionString: postgresUrl })
  await client.connect()
  try {
    await client.query(
      'create table yardstick (id bigint generated always as identity primary key, message jsonb)',
    )
    const perSecond = await rate(messages, (some) =>
      client.query({
        name: 'yardstick',
        text: `insert into yardstick (message)
          select entry->'message' from jsonb_array_elements($1::jsonb) as entries (entry)`,
        values: [toOutboxRows(some)],
      }),
    )
    await client.query('drop table yardstick')
    return { what: 'pg alone', perSecond }
  } finally {
    await client.end()
  }
}
