import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { sql } from '../src/database.ts'
import { AppError } from '../src/errors.ts'
import { createInboxPruner, forgetMessages, recordMessage } from '../src/inbox.ts'
import type { Outgoing } from '../src/messaging.ts'
import { createMetrics } from '../src/metrics.ts'
import { appendOutbox, outboxInsert, toOutboxRows } from '../src/outbox.ts'
import { createRelay, type RelayOptions } from '../src/relay.ts'
import { createTestDatabase, eventually, silentLogger, type TestDatabase } from '../src/testing.ts'
import { aMessage, serviceSchemas, someMessages } from './messaging/effects.ts'

const address = { kind: 'topic', name: 'things' } as const
const createThings = sql('test.create_versions', 'create table versions (id int, version int)')
const insertThing = sql('test.insert_version', 'insert into versions values ($1, 1)')
const updateThing = sql(
  'test.update_version',
  `with changed as (update versions set version = version + 1 where id = $1 returning version),
     emitted as (${outboxInsert(2, 'changed')})
   select version from changed`,
)
const ageInbox = sql(
  'test.age_inbox',
  `update inbox set received_at = now() - interval '1 day' where consumer = $1`,
)
const countInbox = sql('test.count_inbox', 'select count(*) as count from inbox')

describe('the outbox and the inbox', () => {
  let home: TestDatabase
  before(async () => {
    home = await createTestDatabase({ schemas: serviceSchemas })
    await home.database.run(createThings)
    await home.database.run(insertThing, [1])
  })
  after(() => home.drop())

  function startRelay(
    t: TestContext,
    options: Pick<RelayOptions, 'publisher'> & Partial<RelayOptions>,
  ) {
    const relay = createRelay({
      database: home.database,
      listenUrl: home.url,
      logger: silentLogger(),
      // An hour: only a notification can wake it.
      pollMs: 3_600_000,
      ...options,
    })
    t.after(() => relay.stop())
    return relay.start().then(() => relay)
  }

  function collect() {
    const published: Outgoing[] = []
    const publish = async (items: readonly Outgoing[]) => void published.push(...items)
    return { published, publisher: { publish } }
  }

  /** Without the origin that the outbox told it. */
  function asGiven({ address, message }: Outgoing): Outgoing {
    const { traceparent, correlationid, ...given } = message
    assert.ok(traceparent && correlationid)
    return { address, message: given }
  }

  const idsOf = (items: readonly Outgoing[]) => items.map(({ message }) => message.id)

  test('messages are published in the order of their commits, by one of several relays', async (t) => {
    const { published, publisher } = collect()
    const relays = [
      await startRelay(t, { publisher, batchSize: 7 }),
      await startRelay(t, { publisher, batchSize: 7 }),
    ]
    const items = someMessages(address, 60)
    for (let at = 0; at < items.length; at += 6) {
      await home.database.transaction((tx) => appendOutbox(tx, items.slice(at, at + 6)))
    }
    await eventually(() => published.length === items.length)
    assert.deepEqual(published.map(asGiven), items)
    await eventually(async () => (await relays[0]?.stats())?.rows === 0)
  })

  test('a change and its message are one statement; no change, no message', async (t) => {
    const { published, publisher } = collect()
    await startRelay(t, { publisher })
    const item = { address, message: aMessage(1) }
    assert.deepEqual(await home.database.query(updateThing, [404, toOutboxRows([item])]), [])
    assert.deepEqual(await home.database.query(updateThing, [1, toOutboxRows([item])]), [
      { version: 2 },
    ])
    await eventually(() => published.length > 0)
    assert.deepEqual(published.map(asGiven), [item])
  })

  test('a transaction that rolls back publishes nothing', async (t) => {
    const { published, publisher } = collect()
    const relay = await startRelay(t, { publisher })
    const undone = home.database.transaction(async (tx) => {
      await appendOutbox(tx, someMessages(address, 1))
      throw new Error('no')
    })
    await assert.rejects(undone, /no/)
    const kept = someMessages(address, 1)
    await home.database.transaction((tx) => appendOutbox(tx, kept))
    await eventually(() => published.length > 0)
    assert.deepEqual(idsOf(published), idsOf(kept))
    await eventually(async () => (await relay.stats()).rows === 0)
  })

  test('a batch that the broker refuses stays and is published later', async (t) => {
    const { published, publisher } = collect()
    let refusals = 0
    const metrics = createMetrics({ service: 'test' })
    const relay = await startRelay(t, {
      metrics,
      publisher: {
        async publish(items) {
          if (refusals < 2) {
            refusals += 1
            throw new AppError('unavailable', 'MESSAGES_UNAVAILABLE', 'Away.')
          }
          await publisher.publish(items)
        },
      },
    })
    const items = someMessages(address, 3)
    await home.database.transaction((tx) => appendOutbox(tx, items))
    await eventually(() => published.length === 3)
    assert.equal(refusals, 2)
    assert.deepEqual(published.map(asGiven), items)
    await eventually(async () => (await relay.stats()).rows === 0)
    assert.match(await metrics.registry.metrics(), /^outbox_rows\{service="test"\} 0$/m)
  })

  test('a broker that never confirms holds the relay up for a bounded time', async (t) => {
    const { published, publisher } = collect()
    let calls = 0
    await startRelay(t, {
      publishTimeoutMs: 30,
      publisher: {
        publish(items) {
          calls += 1
          return calls === 1 ? new Promise(() => undefined) : publisher.publish(items)
        },
      },
    })
    await home.database.transaction((tx) => appendOutbox(tx, someMessages(address, 1)))
    await eventually(() => published.length === 1)
    assert.equal(calls, 2)
  })

  test('a message is recorded once per consumer, and again after it was forgotten', async () => {
    const { id } = aMessage(1)
    const record = (consumer: string) =>
      home.database.transaction((tx) => recordMessage(tx, id, consumer))
    assert.equal(await record('a'), true)
    assert.equal(await record('a'), false)
    assert.equal(await record('b'), true)
    await home.database.transaction((tx) => forgetMessages(tx, 'a'))
    assert.equal(await record('a'), true)
    assert.equal(await record('b'), false)
  })

  test('of concurrent tries at one message one applies it', async () => {
    const { id } = aMessage(1)
    const tries = Array.from({ length: 8 }, () =>
      home.database.transaction((tx) => recordMessage(tx, id, 'race')),
    )
    assert.equal((await Promise.all(tries)).filter(Boolean).length, 1)
  })

  test('old inbox rows are pruned and young ones kept', async (t) => {
    await home.database.transaction((tx) => forgetMessages(tx, 'a'))
    const before = await home.database.one<{ count: number }>(countInbox, [], () => new Error())
    await home.database.transaction(async (tx) => {
      for (let n = 0; n < 20; n += 1) await recordMessage(tx, aMessage(n).id, 'old')
    })
    await home.database.run(ageInbox, ['old'])
    const pruner = createInboxPruner({
      database: home.database,
      logger: silentLogger(),
      keepSeconds: 3_600,
    })
    await pruner.start()
    t.after(() => pruner.stop())
    await eventually(async () => {
      assert.deepEqual(await home.database.query(countInbox), [before])
    })
  })
})
