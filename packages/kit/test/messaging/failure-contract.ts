import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AppError } from '../../src/errors.ts'
import type { Delivery } from '../../src/messaging.ts'
import type { Bench } from './contract.ts'
import { aMessage, eventually, never, numbersOf, someMessages, soon, unique } from './effects.ts'

function isDead(code: string) {
  return new AppError('invalid', code, 'The message makes no sense.')
}

/** The part of the contract about handlers that fail. */
export function failureContract(bench: () => Bench): void {
  test('a message that fails is tried again until it succeeds, with the try counted', async (t) => {
    const messaging = await bench().connect(t)
    const attempts = { queue: [] as number[], topic: [] as number[] }
    const failTwice =
      (kind: 'queue' | 'topic') =>
      async ({ attempt }: Delivery) => {
        attempts[kind].push(attempt)
        if (attempt < 3) throw new Error('not yet')
      }
    const name = unique('both')
    const shared = { backoff: soon, maxAttempts: 5 }
    messaging.consumeQueue({ queue: name, handler: failTwice('queue'), ...shared })
    messaging.subscribeTopic({
      topic: name,
      group: 'g',
      from: 'start',
      handler: failTwice('topic'),
      ...shared,
    })
    await messaging.start()
    await messaging.publisher.publish([
      { address: { kind: 'queue', name }, message: aMessage(1) },
      { address: { kind: 'topic', name }, message: aMessage(1) },
    ])
    await eventually(() => attempts.queue.length === 3 && attempts.topic.length === 3)
    assert.deepEqual(attempts, { queue: [1, 2, 3], topic: [1, 2, 3] })
  })

  test('a message of a queue that waits for its next try lets the others pass', async (t) => {
    const messaging = await bench().connect(t)
    const queue = unique('queue')
    const seen: Delivery[] = []
    messaging.consumeQueue({
      queue,
      prefetch: 1,
      backoff: never,
      async handler(delivery) {
        seen.push(delivery)
        if (seen.length === 1) throw new Error('not now')
      },
    })
    await messaging.start()
    await messaging.publisher.publish(someMessages({ kind: 'queue', name: queue }, 3))
    await eventually(() => seen.length === 3)
    assert.equal(new Set(numbersOf(seen)).size, 3)
  })

  test('a message that failed too often is a dead letter, and its replay is delivered', async (t) => {
    const messaging = await bench().connect(t)
    const queue = unique('queue')
    let isMended = false
    const applied: Delivery[] = []
    messaging.consumeQueue({
      queue,
      maxAttempts: 3,
      backoff: soon,
      async handler(delivery) {
        if (!isMended) throw new AppError('internal', 'TEST_BROKEN', 'It does not work yet.')
        applied.push(delivery)
      },
    })
    await messaging.start()
    const message = { ...aMessage(1), type: unique('halles.test.poison') }
    await messaging.publisher.publish([{ address: { kind: 'queue', name: queue }, message }])
    const summary = await eventually(async () => {
      const { items } = await messaging.deadLetters.list({ limit: 10, type: message.type })
      return items[0] ?? false
    })
    const { data, ...envelope } = message
    assert.deepEqual(summary.message, envelope, 'a list shows no data')
    assert.deepEqual(summary.address, { kind: 'queue', name: queue })
    assert.equal(summary.service, 'tester')
    const letter = await messaging.deadLetters.get(summary.id)
    assert.deepEqual(letter.message, message)
    assert.equal(letter.code, 'TEST_BROKEN')
    assert.equal(letter.reason, 'It does not work yet.')
    assert.deepEqual(
      letter.history.map(({ attempt }) => attempt),
      [1, 2, 3],
    )
    isMended = true
    await messaging.deadLetters.replay(summary.id)
    await eventually(() => applied.length === 1)
    assert.deepEqual(applied[0]?.message, message)
    await assert.rejects(messaging.deadLetters.get(summary.id), { code: 'DEAD_LETTER_NOT_FOUND' })
  })

  test('dead letters are listed newest first in pages, and can be discarded', async (t) => {
    const messaging = await bench().connect(t)
    const queue = unique('queue')
    const type = unique('halles.test.refused')
    messaging.consumeQueue({ queue, handler: () => Promise.reject(isDead('TEST_REFUSED')) })
    await messaging.start()
    for (const n of [1, 2, 3]) {
      const message = { ...aMessage(n), type }
      await messaging.publisher.publish([{ address: { kind: 'queue', name: queue }, message }])
      await eventually(
        async () => (await messaging.deadLetters.list({ limit: 10, type })).items.length === n,
      )
    }
    const first = await messaging.deadLetters.list({ limit: 2, type, service: 'tester' })
    assert.equal(first.items.length, 2)
    assert.ok(first.nextCursor)
    const second = await messaging.deadLetters.list({ limit: 2, type, cursor: first.nextCursor })
    assert.equal(second.items.length, 1)
    assert.equal(second.nextCursor, undefined)
    const ids = [...first.items, ...second.items].map(({ id }) => id)
    for (const id of ids) await messaging.deadLetters.discard(id, 'seen')
    assert.deepEqual((await messaging.deadLetters.list({ limit: 2, type })).items, [])
    await assert.rejects(messaging.deadLetters.discard(ids[0] ?? '', 'seen'), {
      code: 'DEAD_LETTER_NOT_FOUND',
    })
  })

  test('a poison message of a topic lets its key go on, and is replayed to its group alone', async (t) => {
    const messaging = await bench().connect(t)
    const topic = unique('topic')
    const type = unique('halles.test.poison')
    const seen = { broken: [] as Delivery[], sound: [] as Delivery[] }
    let isMended = false
    messaging.subscribeTopic({
      topic,
      group: 'broken',
      from: 'start',
      async handler(delivery) {
        if (delivery.message.type === type && !isMended) throw isDead('TEST_POISON')
        seen.broken.push(delivery)
      },
    })
    messaging.subscribeTopic({
      topic,
      group: 'sound',
      from: 'start',
      handler: async (delivery) => void seen.sound.push(delivery),
    })
    await messaging.start()
    const address = { kind: 'topic' as const, name: topic }
    const poison = { ...aMessage(1), type }
    await messaging.publisher.publish([
      { address, message: poison },
      { address, message: aMessage(2) },
    ])
    await eventually(() => seen.broken.length === 1 && seen.sound.length === 2)
    assert.deepEqual(numbersOf(seen.broken), [2])
    // Stored with the position, which may be after the next message was applied.
    const items = await eventually(async () => {
      const letters = await messaging.deadLetters.list({ limit: 10, type })
      return letters.items.length > 0 && letters.items
    })
    assert.equal(items.length, 1)
    assert.equal(items[0]?.group, 'broken')
    assert.equal(items[0]?.code, 'TEST_POISON')
    isMended = true
    await messaging.deadLetters.replay(items[0]?.id ?? '')
    await eventually(() => seen.broken.length === 2)
    assert.deepEqual(numbersOf(seen.broken), [2, 1])
    await messaging.publisher.publish([{ address, message: aMessage(3) }])
    await eventually(() => seen.sound.length >= 3)
    assert.deepEqual(numbersOf(seen.sound), [1, 2, 3])
  })

  test('an outage of what the handler needs does not use up the tries', async (t) => {
    const messaging = await bench().connect(t)
    const name = unique('both')
    const failures = { queue: 0, topic: 0 }
    const done: string[] = []
    const failFiveTimes = (kind: 'queue' | 'topic') => async () => {
      if (failures[kind] < 5) {
        failures[kind] += 1
        throw new AppError('unavailable', 'DATABASE_UNAVAILABLE', 'Away.')
      }
      done.push(kind)
    }
    const shared = { maxAttempts: 2, backoff: soon }
    messaging.consumeQueue({ queue: name, handler: failFiveTimes('queue'), ...shared })
    messaging.subscribeTopic({
      topic: name,
      group: 'g',
      from: 'start',
      handler: failFiveTimes('topic'),
      ...shared,
    })
    await messaging.start()
    await messaging.publisher.publish([
      { address: { kind: 'queue', name }, message: aMessage(1) },
      { address: { kind: 'topic', name }, message: aMessage(1) },
    ])
    await eventually(() => done.length === 2)
    assert.deepEqual(failures, { queue: 5, topic: 5 })
  })

  test('a handler that takes too long is told so, and the message is tried again', async (t) => {
    const messaging = await bench().connect(t)
    const queue = unique('queue')
    const seen: Delivery[] = []
    messaging.consumeQueue({
      queue,
      deadlineMs: 50,
      backoff: soon,
      handler: (delivery) => {
        seen.push(delivery)
        return delivery.attempt === 1 ? new Promise(() => undefined) : Promise.resolve()
      },
    })
    await messaging.start()
    await messaging.publisher.publish(someMessages({ kind: 'queue', name: queue }, 1))
    await eventually(() => seen.length === 2)
    assert.equal(seen[0]?.signal.aborted, true)
    assert.equal(seen[1]?.attempt, 2)
  })

  test('the figures tell what waits and what is stuck', async (t) => {
    const messaging = await bench().connect(t)
    const name = unique('both')
    const { ready } = messaging.subscribeTopic({
      topic: name,
      group: 'g',
      from: 'start',
      backoff: never,
      handler: () => Promise.reject(new Error('stuck')),
    })
    await messaging.start()
    await ready
    await messaging.publisher.publish([
      ...someMessages({ kind: 'queue', name }, 4),
      ...someMessages({ kind: 'topic', name }, 3),
    ])
    // A broker may take a moment to count what it has confirmed.
    await eventually(async () => {
      const stats = await messaging.stats()
      const queue = stats.queues.find((q) => q.queue === name)
      assert.equal(queue?.depth, 4)
      // AMQP does not tell these two.
      assert.equal(queue?.inFlight ?? 0, 0)
      assert.ok((queue?.oldestAgeSeconds ?? 0) >= 0)
      assert.deepEqual(
        stats.topics.filter(({ topic }) => topic === name),
        [{ topic: name, group: 'g', lag: 3 }],
      )
    })
  })
}
