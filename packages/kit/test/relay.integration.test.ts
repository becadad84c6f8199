import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test'
import { createDatabase, type Database, sql } from '../src/database.ts'
import { AppError } from '../src/errors.ts'
import type { Address, Outgoing, Publisher } from '../src/messaging.ts'
import { createMetrics } from '../src/metrics.ts'
import { appendOutbox } from '../src/outbox.ts'
import { createRelay, type Relay, type RelayOptions } from '../src/relay.ts'
import { createTracer, type Span } from '../src/spans.ts'
import { createTestDatabase, eventually, silentLogger, type TestDatabase } from '../src/testing.ts'
import { formatTraceparent, newTrace, runWithContext } from '../src/trace.ts'
import { numberOf, serviceSchemas, someMessages } from './messaging/effects.ts'

const topic = { kind: 'topic', name: 'things' } as const
const queue = { kind: 'queue', name: 'tasks' } as const
const keys = ['a', 'b', 'c', 'd', 'e']
const killBackends = sql(
  'test.kill_backends',
  'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
)
const ageOutbox = sql(
  'test.age_outbox',
  `update outbox set created_at = now() - interval '1 hour' where address_kind = 'queue'`,
)
const ask = sql('test.ask', 'select 1 as answer')

const idsOf = (items: readonly Outgoing[]) => items.map(({ message }) => message.id)
const away = () => new AppError('unavailable', 'MESSAGES_UNAVAILABLE', 'Away.')

function assertOrdered(items: readonly Outgoing[]): void {
  const byKey = Object.groupBy(items, ({ message }) => message.partitionkey)
  for (const [key, ofKey = []] of Object.entries(byKey)) {
    const numbers = ofKey.map(numberOf)
    const sorted = numbers.toSorted((a, b) => a - b)
    assert.deepEqual(numbers, sorted, `the order of ${key}`)
  }
}

/** Each message where it came first: what consumers with an inbox make of it. */
function firstArrivals(items: readonly Outgoing[]): Outgoing[] {
  return [...new Map(items.toReversed().map((item) => [item.message.id, item])).values()].reverse()
}

/** Counts the transactions of a database. */
function counting(database: Database): { database: Database; transactions(): number } {
  let count = 0
  return {
    database: {
      ...database,
      transaction(work, options) {
        count += 1
        return database.transaction(work, options)
      },
    },
    transactions: () => count,
  }
}

describe('the relay', () => {
  let home: TestDatabase
  before(async () => {
    home = await createTestDatabase({ schemas: serviceSchemas })
  })
  after(() => home.drop())

  let published: Outgoing[]
  let publish: Publisher['publish']
  beforeEach(() => {
    published = []
    publish = async (items) => void published.push(...items)
  })

  async function startRelay(
    t: TestContext,
    options: Pick<RelayOptions, 'publisher'> & Partial<RelayOptions>,
  ): Promise<Relay> {
    const relay = createRelay({
      database: home.database,
      listenUrl: home.url,
      logger: silentLogger(),
      // An hour: only a notification can wake it.
      pollMs: 3_600_000,
      ...options,
    })
    t.after(() => relay.stop())
    await relay.start()
    return relay
  }

  const commit = (items: readonly Outgoing[]) =>
    home.database.transaction((tx) => appendOutbox(tx, items))

  const isEmpty = (relay: Relay | undefined) => async () => (await relay?.stats())?.rows === 0

  test('three relays of one database publish each message once and one batch at a time', async (t) => {
    let underWay = 0
    let most = 0
    const relays: Relay[] = []
    const publishing = new Set<number>()
    for (const replica of [1, 2, 3]) {
      const publisher: Publisher = {
        async publish(items) {
          underWay += 1
          most = Math.max(most, underWay)
          publishing.add(replica)
          // A round trip, so that another relay would get its chance.
          await home.database.query(ask)
          await publish(items)
          underWay -= 1
        },
      }
      relays.push(await startRelay(t, { publisher, batchSize: 7 }))
    }
    const items = someMessages(topic, 300, keys)
    for (let at = 0; at < items.length; at += 10) await commit(items.slice(at, at + 10))
    await eventually(() => published.length >= items.length)
    await eventually(isEmpty(relays[0]))
    assert.deepEqual(idsOf(published), idsOf(items))
    assert.equal(most, 1)
    t.diagnostic(`published by ${publishing.size} of the relays`)
  })

  test('each sending of a message is a span below the change, and the message names it', async (t) => {
    const spans: Span[] = []
    const tracer = createTracer({ ratio: 1, record: (span) => spans.push(span) })
    const arrived: (string | undefined)[] = []
    const publisher: Publisher = {
      async publish(items) {
        arrived.push(...items.map(({ message }) => message.traceparent))
        if (arrived.length === 1) throw away()
      },
    }
    const relay = await startRelay(t, { publisher, tracer })
    const trace = newTrace()
    const [sampled] = someMessages(topic, 1, keys)
    assert.ok(sampled)
    await runWithContext({ trace }, () => commit([sampled]))
    await eventually(isEmpty(relay))
    assert.deepEqual(
      spans.map(({ kind, name, errorType }) => [kind, name, errorType]),
      [
        ['producer', 'send things', 'MESSAGES_UNAVAILABLE'],
        ['producer', 'send things', undefined],
      ],
    )
    for (const [index, span] of spans.entries()) {
      assert.equal(span.trace.parentSpanId, trace.spanId)
      assert.equal(arrived[index], formatTraceparent(span.trace))
    }
    const quiet = { ...newTrace(), isSampled: false }
    await runWithContext({ trace: quiet }, () => commit(someMessages(topic, 1, keys)))
    await eventually(isEmpty(relay))
    assert.deepEqual([spans.length, arrived.at(-1)], [2, formatTraceparent(quiet)])
  })

  test('a leader that dies within a batch is replaced; its batch is repeated, in order', async (t) => {
    let deaths = 0
    const relays: Relay[] = []
    for (const replica of [1, 2, 3]) {
      const applicationName = `${home.url} relay ${replica}`.slice(-40)
      const { url } = home
      const database = createDatabase({ url, logger: silentLogger(), applicationName })
      t.after(() => database.close())
      const publisher: Publisher = {
        async publish(items) {
          if (deaths === 2) return publish(items)
          // Once with the batch in the broker, once with a part of it.
          await publish(deaths === 0 ? items : items.slice(0, 3))
          deaths += 1
          await home.database.query(killBackends, [applicationName])
          // A dead process answers nobody.
          await new Promise(() => undefined)
        },
      }
      const options = { database, publisher, batchSize: 10, publishTimeoutMs: 300 }
      relays.push(await startRelay(t, options))
    }
    const items = someMessages(topic, 100, keys)
    for (let at = 0; at < items.length; at += 20) await commit(items.slice(at, at + 20))
    await eventually(() => new Set(idsOf(published)).size === items.length)
    await eventually(isEmpty(relays[0]))
    assert.equal(deaths, 2)
    assert.deepEqual(idsOf(firstArrivals(published)), idsOf(items))
    assert.equal(published.length, items.length + 10 + 3)
  })

  test('a leader that is stopped within a batch ends it, and another one goes on', async (t) => {
    const started = Promise.withResolvers<void>()
    const confirmed = Promise.withResolvers<void>()
    const leaving = await startRelay(t, {
      batchSize: 10,
      publisher: {
        async publish(items) {
          started.resolve()
          await confirmed.promise
          await publish(items)
        },
      },
    })
    const items = someMessages(topic, 50, keys)
    await commit(items)
    await started.promise
    const staying = await startRelay(t, { publisher: { publish: (some) => publish(some) } })
    const stopped = leaving.stop()
    assert.equal(published.length, 0)
    confirmed.resolve()
    await stopped
    await eventually(isEmpty(staying))
    assert.deepEqual(idsOf(published), idsOf(items))
  })

  for (const absent of ['queue', 'topic'] satisfies Address['kind'][]) {
    test(`while the broker of every ${absent} is away, the other kind is published`, async (t) => {
      let isAway = true
      const metrics = createMetrics({ service: 'test' })
      const relay = await startRelay(t, {
        batchSize: 10,
        metrics,
        publisher: {
          async publish(items) {
            assert.equal(new Set(items.map((item) => item.address.kind)).size, 1)
            if (isAway && items[0]?.address.kind === absent) throw away()
            await publish(items)
          },
        },
      })
      const [stuck, free] = absent === 'queue' ? [queue, topic] : [topic, queue]
      const first = someMessages(stuck, 100, keys)
      const others = someMessages(free, 100, keys)
      await commit(first)
      for (let at = 0; at < others.length; at += 25) await commit(others.slice(at, at + 25))
      await eventually(() => published.length === others.length)
      assert.deepEqual(idsOf(published), idsOf(others))
      await eventually(async () => (await relay.stats()).rows === first.length)
      if (absent === 'queue') {
        await home.database.run(ageOutbox)
        const { oldestAgeSeconds } = await relay.stats()
        assert.ok(oldestAgeSeconds >= 3_600, `${oldestAgeSeconds} s`)
        assert.match(await metrics.registry.metrics(), /^outbox_rows\{service="test"\} 100$/m)
      }
      isAway = false
      await eventually(isEmpty(relay))
      assert.deepEqual(idsOf(published.slice(others.length)), idsOf(first))
      assertOrdered(published.slice(others.length))
    })
  }

  test('while the broker is away the relay waits longer each time, whatever is written', async (t) => {
    const triedAt: number[] = []
    const relay = await startRelay(t, {
      publisher: {
        async publish(items) {
          triedAt.push(performance.now())
          // A commit in the middle of an outage announces itself, and must not call for a try.
          if (triedAt.length <= 4) await commit(someMessages(topic, 1))
          if (triedAt.length < 5) throw away()
          await publish(items)
        },
      },
    })
    await commit(someMessages(topic, 1))
    await eventually(isEmpty(relay))
    assert.equal(published.length, 5)
    const pauses = triedAt.slice(1, 5).map((at, index) => at - (triedAt[index] ?? 0))
    for (const [index, least] of [50, 100, 200, 400].entries()) {
      const pause = pauses[index] ?? 0
      // A timer may be early by a millisecond or two.
      assert.ok(pause >= least - 5, `pause ${index + 1} took ${pause} ms`)
    }
  })

  test('an idle relay asks its database once per poll, and after each notification', async (t) => {
    const counted = counting(home.database)
    const publisher: Publisher = { publish: (items) => publish(items) }
    const relay = await startRelay(t, { database: counted.database, publisher })
    await commit(someMessages(topic, 1))
    await eventually(() => published.length === 1)
    await eventually(isEmpty(relay))
    // Far longer than a round takes.
    const countDuring = async () => {
      const before = counted.transactions()
      for (let n = 0; n < 50; n += 1) await home.database.query(ask)
      return counted.transactions() - before
    }
    // Its listener may connect only now, and looks for what it missed.
    await commit(someMessages(topic, 1))
    await eventually(() => published.length === 2)
    await eventually(async () => (await countDuring()) === 0)
    const before = counted.transactions()
    await commit(someMessages(topic, 1))
    await eventually(() => published.length === 3)
    await eventually(isEmpty(relay))
    assert.equal(await countDuring(), 0)
    assert.equal(counted.transactions(), before + 1, 'the lane of the queues sleeps on')
  })

  test('an idle relay polls no more often than it was told', async (t) => {
    const counted = counting(home.database)
    const pollMs = 40
    const startedAt = performance.now()
    await startRelay(t, { database: counted.database, publisher: { publish }, pollMs })
    await eventually(() => counted.transactions() >= 12)
    const polls = (performance.now() - startedAt) / (pollMs - 1)
    // Of both kinds; two rounds are for the start, and two for the listener that connected.
    assert.ok(counted.transactions() <= 2 * (polls + 1) + 4, `${counted.transactions()} rounds`)
  })
})
