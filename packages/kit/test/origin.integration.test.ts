import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Address, Delivery, Messaging } from '../src/messaging.ts'
import { appendOutbox } from '../src/outbox.ts'
import { createRelay, type Relay } from '../src/relay.ts'
import { createTestDatabase, eventually, silentLogger, type TestDatabase } from '../src/testing.ts'
import { currentTrace, newTrace, parseTraceparent, runWithContext } from '../src/trace.ts'
import { aMessage, serviceSchemas } from './messaging/effects.ts'
import { connect } from './messaging/postgres-adapter.ts'

const commands = { kind: 'queue', name: 'first' } as const
const events = { kind: 'topic', name: 'second' } as const

describe('the origin of messages', () => {
  let home: TestDatabase
  let broker: TestDatabase
  let messaging: Messaging
  let relay: Relay
  const handled: { delivery: Delivery; traceId: string | undefined }[] = []

  const emit = (address: Address, message = aMessage(1)) =>
    home.database.transaction((tx) => appendOutbox(tx, [{ address, message }]))
  const note = (delivery: Delivery) => handled.push({ delivery, traceId: currentTrace()?.traceId })
  const arrivals = (count: number) =>
    eventually(() => {
      assert.equal(handled.length, count)
      return handled.splice(0).map(({ delivery, traceId }) => ({ ...delivery.message, traceId }))
    })

  before(async () => {
    home = await createTestDatabase({ schemas: serviceSchemas })
    broker = await createTestDatabase()
    messaging = connect({ url: broker.url, instance: 'one' })
    messaging.consumeQueue({
      queue: commands.name,
      handler: async (delivery) => {
        note(delivery)
        await emit(events)
      },
    })
    messaging.subscribeTopic({
      topic: events.name,
      from: 'start',
      handler: async (delivery) => void note(delivery),
    })
    await messaging.start()
    const { publisher } = messaging
    const logger = silentLogger()
    relay = createRelay({ database: home.database, listenUrl: home.url, publisher, logger })
    await relay.start()
  })
  after(async () => {
    await relay.stop()
    await messaging.stop()
    await broker.drop()
    await home.drop()
  })

  test('a request, its event and the event that follows share trace and correlation, and each names its cause', async () => {
    const trace = newTrace()
    await runWithContext({ trace }, () => emit(commands))
    const [first, second] = await arrivals(2)
    assert.ok(first && second)
    for (const { traceparent, correlationid, traceId } of [first, second]) {
      assert.equal(parseTraceparent(traceparent)?.traceId, trace.traceId)
      assert.equal(traceId, trace.traceId)
      assert.equal(correlationid, trace.traceId)
    }
    assert.equal(first.causationid, undefined)
    assert.equal(second.causationid, first.id)
    assert.notEqual(second.traceparent, first.traceparent)
  })

  test('what a sender says of the origin stays, and its flow is handed on', async () => {
    const origin = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      correlationid: 'a flow from outside',
      causationid: 'its cause',
    }
    await runWithContext({ trace: newTrace() }, () => emit(commands, { ...aMessage(1), ...origin }))
    const [first, second] = await arrivals(2)
    assert.ok(first && second)
    const { traceparent, correlationid, causationid } = first
    assert.deepEqual({ traceparent, correlationid, causationid }, origin)
    assert.equal(second.correlationid, origin.correlationid)
    assert.equal(second.causationid, first.id)
    assert.equal(parseTraceparent(second.traceparent)?.traceId, '0af7651916cd43dd8448eb211c80319c')
  })

  test('a message without an origin is published as it is, and begins a flow where it is handled', async () => {
    await messaging.publisher.publish([{ address: commands, message: aMessage(1) }])
    const [first, second] = await arrivals(2)
    assert.ok(first && second)
    assert.equal(first.traceparent, undefined)
    assert.equal(second.correlationid, first.traceId)
    assert.equal(second.causationid, first.id)
  })
})
