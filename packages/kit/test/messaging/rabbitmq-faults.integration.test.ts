import assert from 'node:assert/strict'
import { after, describe, type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { AsyncMessage, Connection } from 'rabbitmq-client'
import { AppError } from '../../src/errors.ts'
import { createLogger } from '../../src/logging.ts'
import type { RabbitmqOptions } from '../../src/messaging/rabbitmq.ts'
import type { Delivery, Handler, Queues } from '../../src/messaging.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import { aMessage, eventually, never, soon, unique } from './effects.ts'
import {
  connectQueues,
  dropAll,
  rabbitmqUrl,
  whyNoRabbitmq,
  withBroker,
} from './rabbitmq-adapter.ts'

const prefix = unique('faults')
const quorum = { 'x-queue-type': 'quorum' } as const

function open(t: TestContext, options: Partial<RabbitmqOptions> = {}): Queues {
  const queues = connectQueues({
    url: rabbitmqUrl ?? '',
    prefix,
    instance: unique('instance'),
    ...options,
  })
  t.after(() => queues.stop())
  return queues
}

function send(queues: Queues, queue: string, message = aMessage(1)): Promise<void> {
  return queues.publisher.publish([{ address: { kind: 'queue', name: queue }, message }])
}

async function consume(queues: Queues, queue: string, handler: Handler, maxAttempts = 8) {
  const { ready } = queues.consumeQueue({ queue, handler, maxAttempts, backoff: soon })
  await queues.start()
  await ready
}

function toLines(lines: string[]) {
  return { write: (line: string) => void lines.push(line) }
}

/** Publishes something that the adapter would not. */
function putByHand(connection: Connection, queue: string, body: unknown): Promise<void> {
  const publisher = connection.createPublisher({ confirm: true })
  return publisher.send({ routingKey: queue, durable: true }, body).finally(publisher.close)
}

if (rabbitmqUrl === undefined) {
  test('queues on RabbitMQ under an operator and in trouble', { skip: whyNoRabbitmq })
} else {
  describe('queues on RabbitMQ under an operator and in trouble', troubleTests)
}

function troubleTests(): void {
  after(() => dropAll(prefix))

  test('a queue that is deleted under its consumer is declared and consumed again', async (t) => {
    const queues = open(t)
    const queue = unique('queue')
    const seen: Delivery[] = []
    await consume(queues, queue, async (delivery) => void seen.push(delivery))
    await send(queues, queue)
    await eventually(() => seen.length === 1)
    await withBroker((connection) => connection.queueDelete(queue))
    await eventually(async () => {
      await send(queues, queue)
      return true
    })
    await eventually(() => seen.length >= 2)
  })

  test('a consumer that its broker forgot, for the queue was made anew at once, comes back', async (t) => {
    const queues = open(t, { idleMs: 500 })
    const queue = unique('queue')
    const seen: Delivery[] = []
    await consume(queues, queue, async (delivery) => void seen.push(delivery))
    await withBroker(async (connection) => {
      const channel = await connection.acquire()
      const made = channel.queueDelete(queue)
      await channel.queueDeclare({ queue, durable: true, arguments: quorum })
      await made
      await channel.queueBind({ queue, exchange: `${prefix}.commands`, routingKey: queue })
      await channel.close()
    })
    await eventually(() => send(queues, queue).then(() => true))
    await eventually(() => seen.length >= 1)
    await send(queues, queue)
    await eventually(() => seen.length >= 2)
  })

  test('what reaches no queue is refused to its sender, and the next try declares it again', async (t) => {
    const queues = open(t)
    const queue = unique('queue')
    await send(queues, queue)
    const binding = { queue, exchange: `${prefix}.commands`, routingKey: queue }
    await withBroker((connection) => connection.queueUnbind(binding))
    await assert.rejects(send(queues, queue), { code: 'MESSAGES_UNAVAILABLE' })
    await send(queues, queue)
    await eventually(async () => (await queues.stats()).queues[0]?.depth === 2)
  })

  test('a queue as an operator made it is used as it is; when it is full its sender is told', async (t) => {
    const queue = unique('queue')
    const args = { ...quorum, 'x-max-length': 1, 'x-overflow': 'reject-publish' } as const
    await withBroker((connection) =>
      connection.queueDeclare({ queue, durable: true, arguments: args }),
    )
    const lines: string[] = []
    const destination = toLines(lines)
    const logger = createLogger({ service: 'tester', instance: 'i', level: 'warn', destination })
    const queues = open(t, { logger })
    await assert.rejects(
      async () => {
        for (let n = 0; n < 20; n += 1) await send(queues, queue)
      },
      { kind: 'unavailable', code: 'MESSAGES_UNAVAILABLE' },
    )
    const warnings = lines.filter((line) => line.includes('is not as it would be declared'))
    assert.equal(warnings.length, 1)
    const seen: Delivery[] = []
    await consume(queues, queue, async (delivery) => void seen.push(delivery))
    await eventually(() => seen.length >= 1)
  })

  test('a message lies in its queue as a structured CloudEvent, durable and with its trace', async (t) => {
    const queues = open(t)
    const queue = unique('queue')
    const message = { ...aMessage(1), traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }
    await send(queues, queue, message)
    const found = await withBroker((connection) => connection.basicGet({ queue, noAck: true }))
    assert.ok(found)
    assert.equal(found.contentType, 'application/cloudevents+json; charset=utf-8')
    assert.equal(found.durable, true)
    assert.equal(found.messageId, message.id)
    assert.equal(found.type, message.type)
    assert.equal(found.headers?.traceparent, message.traceparent)
    assert.deepEqual(JSON.parse(found.body.toString()), message)
  })

  test('what is no message becomes a dead letter that shows what it was', async (t) => {
    const queues = open(t)
    const queue = unique('queue')
    const seen: Delivery[] = []
    await consume(queues, queue, async (delivery) => void seen.push(delivery))
    const junk = [Buffer.from([0, 255, 1]), 'text', { a: 1 }, null, Buffer.alloc(100_000, 'x')]
    await withBroker(async (connection) => {
      for (const body of junk) await putByHand(connection, queue, body)
    })
    const letters = await eventually(async () => {
      const { items } = await queues.deadLetters.list({ limit: 50 })
      const found = items.filter(({ address }) => address.name === queue)
      return found.length === junk.length && found
    })
    assert.ok(letters.every(({ code }) => code === 'INVALID_MESSAGE'))
    const bodies = await Promise.all(
      letters.map(async ({ id }) => (await queues.deadLetters.get(id)).message.data),
    )
    const texts = bodies.map((data) => (data as { body: string }).body)
    assert.ok(texts.includes('text') && texts.includes('{"a":1}'))
    assert.ok(texts.every(({ length }) => length < 10_000))
    assert.deepEqual(seen, [])
    await send(queues, queue)
    await eventually(() => seen.length === 1)
  })

  test('a message that the broker gave up by itself is the same dead letter for every reader', async (t) => {
    const [one, other] = [open(t), open(t)]
    const queue = `auth.${unique('queue')}`
    const message = { ...aMessage(1), type: unique('halles.test.given-up') }
    await send(one, queue, message)
    await withBroker(async (connection) => {
      const channel = await connection.acquire()
      const giveBack = ({ deliveryTag }: AsyncMessage) => channel.basicNack({ deliveryTag })
      await channel.basicConsume({ queue }, giveBack)
      await eventually(async () => (await one.stats()).queues[0]?.depth === 0)
      const find = (queues: Queues) => queues.deadLetters.list({ limit: 1, type: message.type })
      const letter = await eventually(async () => (await find(one)).items[0] ?? false)
      assert.equal(letter.code, 'DELIVERY_LIMIT')
      assert.equal(letter.service, 'auth')
      assert.deepEqual((await find(other)).items, [letter])
      await channel.close()
      await other.deadLetters.replay(letter.id)
      await eventually(async () => (await find(one)).items.length === 0)
    })
    const seen: Delivery[] = []
    await consume(one, queue, async (delivery) => void seen.push(delivery))
    await eventually(() => seen.length === 1)
    assert.deepEqual(seen[0]?.message, message)
  })

  test('a message that fails when its process stops is tried on elsewhere, with its history', async (t) => {
    const queue = unique('queue')
    const message = { ...aMessage(1), type: unique('halles.test.moved') }
    const failing = connectQueues({ url: rabbitmqUrl ?? '', prefix, instance: unique('instance') })
    const fail = () => Promise.reject(new AppError('internal', 'TEST_BROKEN', 'Not here.'))
    failing.consumeQueue({ queue, handler: fail, backoff: { baseMs: 300, maxMs: 300 } })
    await failing.start()
    await send(failing, queue, message)
    await eventually(async () => (await failing.stats()).queues[0]?.depth === 0)
    await failing.stop()
    const queues = open(t)
    await consume(queues, queue, () => Promise.reject(new Error('Nor here.')), 3)
    const letter = await eventually(async () => {
      const { items } = await queues.deadLetters.list({ limit: 1, type: message.type })
      return items[0] ? queues.deadLetters.get(items[0].id) : false
    })
    assert.deepEqual(
      letter.history.map(({ attempt, reason }) => [attempt, reason]),
      [
        [1, 'Not here.'],
        [2, 'Nor here.'],
        [3, 'Nor here.'],
      ],
    )
  })

  test('a message that waits for long goes round at the end of its queue', async (t) => {
    const queues = open(t, { holdMs: 100 })
    const queue = unique('queue')
    let tries = 0
    const handler = async () => {
      tries += 1
      if (tries === 1) throw new Error('not now')
    }
    queues.consumeQueue({ queue, handler, backoff: { baseMs: 1_000, maxMs: 1_000 } })
    await queues.start()
    const copies: string[] = []
    await send(queues, queue)
    await withBroker(async (connection) => {
      await connection.exchangeDeclare({ exchange: `${prefix}.commands`, durable: true })
      const channel = await connection.acquire()
      const { queue: tap } = await channel.queueDeclare({ exclusive: true })
      const exchange = `${prefix}.commands`
      await channel.queueBind({ queue: tap, exchange, routingKey: queue })
      await channel.basicConsume({ queue: tap, noAck: true }, ({ headers }: AsyncMessage) => {
        copies.push(String(headers?.['halles-tries']))
      })
      await eventually(() => tries === 2)
      await channel.close()
    })
    assert.ok(copies.length >= 2, `${copies.length} copies`)
    assert.ok(copies.every((header) => JSON.parse(header).count === 1))
  })

  test('a lost connection is no try, and work that went on meanwhile is not repeated', async (t) => {
    const broker = new URL(rabbitmqUrl ?? '')
    const proxy = await startTcpProxy(broker.hostname, Number(broker.port || 5672))
    broker.host = `127.0.0.1:${proxy.port}`
    const queues = open(t, { url: broker.href })
    t.after(proxy.away)
    const queue = unique('queue')
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    const attempts: [number, number][] = []
    await consume(queues, queue, async ({ message, attempt }) => {
      const { n } = message.data as { n: number }
      attempts.push([n, attempt])
      if (n === 1) await mayEnd
      if (n === 2 && attempt < 3) throw new Error('not yet')
    })
    await send(queues, queue)
    await eventually(() => attempts.length === 1)
    await proxy.away()
    const isAway = () =>
      queues.stats().then(
        () => false,
        () => true,
      )
    await eventually(isAway)
    end()
    await setImmediate()
    await proxy.back()
    await eventually(async () => {
      await send(queues, queue, aMessage(2))
      return true
    })
    await eventually(() => attempts.some(([n, attempt]) => n === 2 && attempt === 3))
    assert.deepEqual(
      attempts.filter(([n]) => n === 1),
      [[1, 1]],
    )
  })

  test('no credentials are logged while the broker cannot be reached', async (t) => {
    const lines: string[] = []
    const destination = toLines(lines)
    const logger = createLogger({ service: 'tester', instance: 'i', level: 'debug', destination })
    const queues = open(t, { url: 'amqp://someone:very-secret@127.0.0.1:1', logger })
    queues.consumeQueue({ queue: 'q', handler: async () => undefined, backoff: never })
    await queues.start()
    await assert.rejects(send(queues, unique('queue')), { code: 'MESSAGES_UNAVAILABLE' })
    await assert.rejects(queues.stats(), { code: 'MESSAGES_UNAVAILABLE' })
    await eventually(() => lines.length > 0)
    assert.ok(lines.every((line) => !line.includes('very-secret')))
  })
}
