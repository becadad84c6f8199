import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { sql } from '../../src/database.ts'
import { createPruner } from '../../src/messaging/postgres/pruner.ts'
import { brokerSchema, publishMessages } from '../../src/messaging/postgres/schema.ts'
import type { Outgoing, TopicSettings } from '../../src/messaging.ts'
import { toMessageRows } from '../../src/outbox.ts'
import {
  createTestDatabase,
  eventually,
  silentLogger,
  type TestDatabase,
} from '../../src/testing.ts'
import { someMessages, unique } from './effects.ts'

const ageMessages = sql(
  'test.age_messages',
  'update topic_messages set created_at = now() - make_interval(hours => $2) where topic = $1',
)
const selectMessages = sql(
  'test.select_messages',
  `select (message->'data'->>'n')::integer as n from topic_messages
   where topic = $1 order by position`,
)
const insertGroup = sql(
  'test.insert_group',
  `insert into topic_positions (topic, group_name, partition, position)
   select $1, 'g', partition, 0 from generate_series(0, 7) as partition`,
)
const passAll = sql(
  'test.pass_all',
  `update topic_positions set position = (select max(position) from topic_messages)
   where topic = $1`,
)

describe('what the embedded topics keep', () => {
  let home: TestDatabase
  before(async () => {
    home = await createTestDatabase({ schemas: [brokerSchema] })
  })
  after(() => home.drop())

  /** Publishes messages 1…6, of two keys, and makes the first four older by some hours. */
  async function publishWithAge(topic: string, hours: number): Promise<void> {
    const items = someMessages({ kind: 'topic', name: topic }, 6, ['a', 'b'])
    const publish = (some: readonly Outgoing[]) =>
      home.database.run(publishMessages, [toMessageRows(some)])
    await publish(items.slice(0, 4))
    await home.database.run(ageMessages, [topic, hours])
    await publish(items.slice(4))
  }

  async function numbersIn(topic: string): Promise<number[]> {
    return (await home.database.query<{ n: number }>(selectMessages, [topic])).map(({ n }) => n)
  }

  /** Prunes once. Returns after a topic of its own shows that the round is over. */
  async function prune(t: TestContext, topics: Record<string, TopicSettings>): Promise<void> {
    const last = unique('last')
    await publishWithAge(last, 25)
    const pruner = createPruner({
      database: home.database,
      logger: silentLogger(),
      prepare: async () => undefined,
      topics: { ...topics, [last]: { partitions: 1, retention: { days: 1 } } },
      retentionSeconds: 3_600,
    })
    pruner.start()
    t.after(() => pruner.stop())
    await eventually(async () => (await numbersIn(last)).length === 2)
  }

  test('a compacted topic keeps the newest message of each key, whatever its age', async (t) => {
    const [named, unnamed] = [unique('named'), unique('unnamed')]
    for (const topic of [named, unnamed]) {
      await publishWithAge(topic, 2)
      await home.database.run(ageMessages, [topic, 2])
    }
    await prune(t, { [named]: { partitions: 1, retention: 'compacted' } })
    assert.deepEqual(await numbersIn(named), [5, 6])
    assert.deepEqual(await numbersIn(unnamed), [5, 6])
  })

  test('a compacted topic keeps what is young, even if a newer message replaced it', async (t) => {
    const topic = unique('young')
    await publishWithAge(topic, 0)
    await prune(t, {})
    assert.deepEqual(await numbersIn(topic), [1, 2, 3, 4, 5, 6])
  })

  test('a topic with days keeps each message for so long, and the newest no longer', async (t) => {
    const [old, young, gone] = [unique('old'), unique('young'), unique('gone')]
    await publishWithAge(old, 25)
    await publishWithAge(young, 23)
    await publishWithAge(gone, 25)
    await home.database.run(ageMessages, [gone, 25])
    const settings: TopicSettings = { partitions: 1, retention: { days: 1 } }
    await prune(t, { [old]: settings, [young]: settings, [gone]: settings })
    assert.deepEqual(await numbersIn(old), [5, 6])
    assert.deepEqual(await numbersIn(young), [1, 2, 3, 4, 5, 6])
    assert.deepEqual(await numbersIn(gone), [])
  })

  test('nothing goes before every group has passed it', async (t) => {
    const [compacted, dated] = [unique('compacted'), unique('dated')]
    const topics: Record<string, TopicSettings> = {
      [dated]: { partitions: 1, retention: { days: 1 } },
    }
    for (const topic of [compacted, dated]) {
      await publishWithAge(topic, 25)
      await home.database.run(insertGroup, [topic])
    }
    await prune(t, topics)
    assert.deepEqual(await numbersIn(compacted), [1, 2, 3, 4, 5, 6])
    assert.deepEqual(await numbersIn(dated), [1, 2, 3, 4, 5, 6])
    for (const topic of [compacted, dated]) await home.database.run(passAll, [topic])
    await prune(t, topics)
    assert.deepEqual(await numbersIn(compacted), [5, 6])
    assert.deepEqual(await numbersIn(dated), [5, 6])
  })
})
