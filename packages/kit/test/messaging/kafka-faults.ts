import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createKafkaTopics } from '../../src/messaging/kafka.ts'
import type { Delivery, Topics } from '../../src/messaging.ts'
import { eventually, silentLogger } from '../../src/testing.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import { aMessage, numberOf, numbersOf, someMessages, unique } from './effects.ts'
import { type KafkaProxied, kafkaBrokers } from './kafka-adapter.ts'

function connect(t: TestContext, brokers = kafkaBrokers ?? []): Topics {
  const topics = createKafkaTopics({
    brokers,
    service: 'tester',
    instance: unique('instance'),
    logger: silentLogger(),
    topics: {},
    drainMs: 2_000,
  })
  t.after(() => topics.stop())
  return topics
}

const keys = ['a', 'b', 'c', 'd', 'e', 'f']

/** What the contract does not ask of every adapter. */
export function kafkaFaults({ listenPort, advertisedPort }: KafkaProxied): void {
  test('a replica that joins waits for what the others have in hand, and nothing is applied twice', async (t) => {
    const topic = unique('topic')
    const applied: Delivery[] = []
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>()
    const inHand = new Set<string>()
    const subscribe = (topics: Topics, handler: (delivery: Delivery) => Promise<void>) =>
      topics.subscribeTopic({ topic, group: 'g', from: 'start', handler })
    const first = connect(t)
    subscribe(first, async (delivery) => {
      inHand.add(delivery.message.id)
      await mayEnd
      applied.push(delivery)
    })
    await first.start()
    await first.publisher.publish(someMessages({ kind: 'topic', name: topic }, 60, keys))
    await eventually(() => inHand.size > 0)
    const second = connect(t)
    const { ready } = subscribe(second, async (delivery) => void applied.push(delivery))
    await second.start()
    end()
    await ready
    await eventually(() => applied.length >= 60)
    assert.equal(new Set(applied.map(({ message }) => message.id)).size, applied.length)
    assert.ok(applied.every(({ attempt }) => attempt === 1))
    for (const key of keys) {
      const numbers = numbersOf(applied.filter(({ message }) => message.partitionkey === key))
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
      )
    }
  })

  test('publishing through short absences of the broker loses nothing and keeps the order', async (t) => {
    const topic = unique('topic')
    const proxy = await startTcpProxy('127.0.0.1', listenPort, advertisedPort)
    t.after(() => proxy.away())
    const through = connect(t, [`127.0.0.1:${advertisedPort}`])
    const items = someMessages({ kind: 'topic', name: topic }, 1_200, keys)
    const batches = 60
    for (let at = 0; at < items.length; at += items.length / batches) {
      const batch = items.slice(at, at + items.length / batches)
      const published = eventually(() => through.publisher.publish(batch).then(() => true))
      if (at % 200 === 0) {
        await proxy.away()
        await proxy.back()
      }
      await published
    }
    const reading = connect(t)
    const found: Delivery[] = []
    await reading.replayTopic({ topic, handler: async (delivery) => void found.push(delivery) })
    for (const key of keys) {
      const numbers = numbersOf(found.filter(({ message }) => message.partitionkey === key))
      const wanted = items.filter(({ message }) => message.partitionkey === key)
      const firsts = [...new Set(numbers)]
      assert.deepEqual(
        firsts,
        wanted.map(({ message }) => numberOf({ message })),
      )
      // What is kept of a key when its topic is compacted.
      assert.equal(numbers.at(-1), firsts.at(-1))
    }
  })

  test('a group that begins at the end gets what is published once it is ready', async (t) => {
    const topic = unique('topic')
    const address = { kind: 'topic' as const, name: topic }
    const topics = connect(t)
    await topics.publisher.publish([{ address, message: aMessage(1) }])
    const seen: Delivery[] = []
    const handler = async (delivery: Delivery) => void seen.push(delivery)
    const { ready } = topics.subscribeTopic({ topic, group: 'g', from: 'end', handler })
    await topics.start()
    await ready
    await topics.publisher.publish([{ address, message: aMessage(2) }])
    await eventually(() => seen.length === 1)
    assert.deepEqual(numbersOf(seen), [2])
  })

  test('a retry is counted on by the replica that takes over', async (t) => {
    const topic = unique('topic')
    const attempts: number[] = []
    const subscriber = {
      topic,
      group: 'g',
      from: 'start' as const,
      backoff: { baseMs: 200, maxMs: 200 },
      async handler({ attempt }: Delivery) {
        attempts.push(attempt)
        if (attempts.length < 3) throw new Error('not yet')
      },
    }
    const first = connect(t)
    const subscription = first.subscribeTopic(subscriber)
    await first.start()
    await first.publisher.publish(someMessages({ kind: 'topic', name: topic }, 1))
    await eventually(() => attempts.length === 2)
    await subscription.stop()
    const second = connect(t)
    second.subscribeTopic(subscriber)
    await second.start()
    await eventually(() => attempts.length === 3)
    assert.deepEqual(attempts, [1, 2, 3])
  })

  test('who is in no group sees how far behind each of them is', async (t) => {
    const topic = unique('topic')
    const address = { kind: 'topic' as const, name: topic }
    const member = connect(t)
    const seen: Delivery[] = []
    const handler = async (delivery: Delivery) => void seen.push(delivery)
    member.subscribeTopic({ topic, group: 'fast', from: 'start', handler })
    const slow = member.subscribeTopic({ topic, group: 'slow', from: 'start', handler })
    await member.start()
    await slow.ready
    await slow.stop()
    await member.publisher.publish(someMessages(address, 5, keys))
    await eventually(() => seen.length === 5)
    const watching = connect(t)
    await eventually(async () => {
      const { topics } = await watching.stats()
      const ofTopic = topics.filter((stats) => stats.topic === topic)
      assert.deepEqual(ofTopic, [
        { topic, group: 'fast', lag: 0 },
        { topic, group: 'slow', lag: 5 },
      ])
      return true
    })
  })
}
