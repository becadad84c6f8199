import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Delivery } from '../../src/messaging.ts'
import { appendOutbox } from '../../src/outbox.ts'
import { createRelay } from '../../src/relay.ts'
import { silentLogger } from '../../src/testing.ts'
import type { Bench } from './contract.ts'
import { applyOnce, consume, eventually, readEffects, someMessages, unique } from './effects.ts'

/** The part of the contract about a broker that is away. */
export function outageContract(bench: () => Bench): void {
  test('while the broker is away publishing fails clearly; the outbox delivers afterwards', async (t) => {
    const { harness, service, connect } = bench()
    const queue = unique('queue')
    const items = someMessages({ kind: 'queue', name: queue }, 20)
    const messaging = await connect(t)
    consume(messaging, { queue }, (d) => applyOnce(service.database, queue, d))
    await messaging.start()
    const relay = createRelay({
      database: service.database,
      listenUrl: service.url,
      publisher: messaging.publisher,
      logger: silentLogger(),
      pollMs: 3_600_000,
    })
    await relay.start()
    t.after(() => relay.stop())
    await service.database.transaction((tx) => appendOutbox(tx, items.slice(0, 5)))
    const effects = () => readEffects(service.database, queue)
    await eventually(async () => (await effects()).length === 5)
    await harness.away()
    try {
      await assert.rejects(messaging.publisher.publish(items.slice(5, 6)), {
        kind: 'unavailable',
        code: 'MESSAGES_UNAVAILABLE',
      })
      await service.database.transaction((tx) => appendOutbox(tx, items.slice(5)))
      assert.equal((await relay.stats()).rows, 15)
    } finally {
      await harness.back()
    }
    await eventually(async () => (await effects()).length === 20)
    await eventually(async () => (await relay.stats()).rows === 0)
    assert.equal(new Set((await effects()).map(({ messageId }) => messageId)).size, 20)
  })

  test('subscriptions survive an absence of the broker', async (t) => {
    const { harness, connect } = bench()
    const name = unique('both')
    const messaging = await connect(t)
    const seen = { queue: [] as Delivery[], topic: [] as Delivery[], private: [] as Delivery[] }
    messaging.consumeQueue({ queue: name, handler: async (d) => void seen.queue.push(d) })
    messaging.subscribeTopic({
      topic: name,
      group: 'g',
      from: 'start',
      handler: async (d) => void seen.topic.push(d),
    })
    const { ready } = messaging.subscribeTopic({
      topic: name,
      from: 'end',
      handler: async (d) => void seen.private.push(d),
    })
    await messaging.start()
    await ready
    await harness.away()
    await harness.back()
    const publish = () =>
      messaging.publisher.publish([
        ...someMessages({ kind: 'queue', name }, 1),
        ...someMessages({ kind: 'topic', name }, 1),
      ])
    await eventually(() => publish().then(() => true))
    await eventually(() => Object.values(seen).every(({ length }) => length >= 1))
    assert.equal(seen.topic[0]?.message.partitionkey, 'a')
  })
}
