import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../../src/errors.ts'
import type { Delivery, Message } from '../../src/messaging.ts'
import type { Bench } from './contract.ts'
import {
  aMessage,
  applyOnce,
  connectAdapter,
  consume,
  eventually,
  numberOf,
  numbersOf,
  readEffects,
  someMessages,
  unique,
} from './effects.ts'

/** The part of the contract about topics. */
export function topicContract(bench: () => Bench): void {
  test('order per key holds over many keys and several consumers of a group', async (t) => {
    const { service, connect } = bench()
    const topic = unique('topic')
    for (let replica = 0; replica < 3; replica += 1) {
      const messaging = await connect(t)
      consume(messaging, { topic, group: 'g' }, (d) => applyOnce(service.database, topic, d))
      await messaging.start()
    }
    const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`)
    const items = someMessages({ kind: 'topic', name: topic }, 400, keys)
    const publishing = await connect(t)
    for (let at = 0; at < items.length; at += 40) {
      await publishing.publisher.publish(items.slice(at, at + 40))
    }
    const effects = await eventually(async () => {
      const found = await readEffects(service.database, topic)
      return found.length === items.length && found
    })
    for (const key of keys) {
      const numbers = effects.filter((effect) => effect.key === key).map(({ n }) => n)
      assert.deepEqual(numbers, items.filter((i) => i.message.partitionkey === key).map(numberOf))
    }
  })

  test('each group gets everything, and a late one begins at the start', async (t) => {
    const topic = unique('topic')
    const messaging = await bench().connect(t)
    const seen = new Map<string, Delivery[]>([
      ['one', []],
      ['two', []],
      ['late', []],
    ])
    const subscribe = (group: string) =>
      messaging.subscribeTopic({
        topic,
        group,
        from: 'start',
        handler: async (delivery) => void seen.get(group)?.push(delivery),
      })
    subscribe('one')
    subscribe('two')
    await messaging.start()
    await messaging.publisher.publish(someMessages({ kind: 'topic', name: topic }, 30))
    await eventually(() => seen.get('one')?.length === 30 && seen.get('two')?.length === 30)
    subscribe('late')
    await eventually(() => seen.get('late')?.length === 30)
    const wanted = Array.from({ length: 30 }, (_, index) => index + 1)
    for (const deliveries of seen.values()) assert.deepEqual(numbersOf(deliveries), wanted)
  })

  test('a group goes on where it stopped', async (t) => {
    const topic = unique('topic')
    const address = { kind: 'topic' as const, name: topic }
    const first = await connectAdapter(bench().harness.adapter, unique('instance'))
    const seen: Delivery[] = []
    const subscriber = {
      topic,
      group: 'g',
      from: 'start' as const,
      handler: async (delivery: Delivery) => void seen.push(delivery),
    }
    first.subscribeTopic(subscriber)
    await first.start()
    await first.publisher.publish([{ address, message: aMessage(1) }])
    await eventually(() => seen.length === 1)
    await first.stop()
    const second = await bench().connect(t)
    await second.publisher.publish([{ address, message: aMessage(2) }])
    second.subscribeTopic(subscriber)
    await second.start()
    await eventually(() => seen.length === 2)
    assert.deepEqual(numbersOf(seen), [1, 2])
  })

  test('a topic is replayed from its start to its present end, beside its groups', async (t) => {
    const topic = unique('topic')
    const address = { kind: 'topic' as const, name: topic }
    const messaging = await bench().connect(t)
    const live: Delivery[] = []
    const { ready } = messaging.subscribeTopic({
      topic,
      group: 'g',
      from: 'start',
      handler: async (delivery) => void live.push(delivery),
    })
    await messaging.start()
    await ready
    const items = someMessages(address, 250, ['a', 'b', 'c'])
    await messaging.publisher.publish(items)
    const seen: Delivery[] = []
    const count = await messaging.replayTopic({
      topic,
      handler: async (delivery) => void seen.push(delivery),
    })
    assert.equal(count, 250)
    for (const key of ['a', 'b', 'c']) {
      const ofKey = seen.filter(({ message }) => message.partitionkey === key)
      const wanted = items.filter(({ message }) => message.partitionkey === key)
      assert.deepEqual(
        ofKey.map(({ message }) => message),
        wanted.map(({ message }) => message),
      )
    }
    await eventually(() => live.length === 250)
  })

  test('a replay tries again what fails, and ends with what goes on failing', async (t) => {
    const topic = unique('topic')
    const messaging = await bench().connect(t)
    await messaging.publisher.publish(someMessages({ kind: 'topic', name: topic }, 3))
    const attempts: number[] = []
    const count = await messaging.replayTopic({
      topic,
      async handler({ attempt }) {
        attempts.push(attempt)
        if (attempts.length === 2) throw new Error('once')
      },
    })
    assert.equal(count, 3)
    assert.deepEqual(attempts, [1, 1, 2, 1])
    const replay = messaging.replayTopic({
      topic,
      handler: () => Promise.reject(new AppError('invalid', 'TEST_BROKEN', 'Broken.')),
    })
    await assert.rejects(replay, { code: 'REPLAY_FAILED' })
    assert.equal(
      await messaging.replayTopic({ topic: unique('none'), handler: async () => undefined }),
      0,
    )
  })

  test('private subscriptions all get what is published after they are ready', async (t) => {
    const topic = unique('topic')
    const address = { kind: 'topic' as const, name: topic }
    const publishing = await bench().connect(t)
    await publishing.publisher.publish([{ address, message: aMessage(1) }])
    const heard: Delivery[][] = []
    for (let gateway = 0; gateway < 2; gateway += 1) {
      const messaging = await bench().connect(t)
      const deliveries: Delivery[] = []
      heard.push(deliveries)
      const { ready } = messaging.subscribeTopic({
        topic,
        from: 'end',
        handler: async (delivery) => void deliveries.push(delivery),
      })
      await messaging.start()
      await ready
    }
    await publishing.publisher.publish([2, 3].map((n) => ({ address, message: aMessage(n) })))
    await eventually(() => heard.every(({ length }) => length === 2))
    assert.deepEqual(heard.map(numbersOf), [
      [2, 3],
      [2, 3],
    ])
  })

  test('a batch of a thousand messages keeps its order per key', async (t) => {
    const topic = unique('topic')
    const messaging = await bench().connect(t)
    const seen: Delivery[] = []
    consume(messaging, { topic, group: 'g' }, async (delivery) => void seen.push(delivery))
    await messaging.start()
    const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`)
    const items = someMessages({ kind: 'topic', name: topic }, 1_000, keys)
    await messaging.publisher.publish(items)
    await eventually(() => seen.length === 1_000)
    const ofKey = (all: readonly { message: Message }[], key: string) =>
      all.filter(({ message }) => message.partitionkey === key).map(numberOf)
    for (const key of keys) assert.deepEqual(ofKey(seen, key), ofKey(items, key))
  })

  test('a private subscription begins as long ago as it asks for', async (t) => {
    const topic = unique('topic')
    const messaging = await bench().connect(t)
    const publish = (n: number) =>
      messaging.publisher.publish([
        { address: { kind: 'topic', name: topic }, message: aMessage(n) },
      ])
    await publish(1)
    const publishedAt = Date.now()
    // Clocks count in milliseconds: the next moment has to be another one.
    await eventually(() => Date.now() > publishedAt + 20)
    const seen = { hour: [] as Delivery[], moment: [] as Delivery[] }
    const subscribe = (sinceMs: number, deliveries: Delivery[]) =>
      messaging.subscribeTopic({
        topic,
        from: { sinceMs },
        handler: async (delivery) => void deliveries.push(delivery),
      })
    const subscriptions = [subscribe(3_600_000, seen.hour), subscribe(1, seen.moment)]
    await messaging.start()
    await Promise.all(subscriptions.map(({ ready }) => ready))
    await publish(2)
    await eventually(() => seen.hour.length >= 2 && seen.moment.length >= 1)
    assert.deepEqual(numbersOf(seen.hour), [1, 2])
    assert.deepEqual(numbersOf(seen.moment), [2])
  })
}
