import { type Database, sql } from '../../database.ts'
import type { Logger } from '../../logging.ts'
import { createLoop } from '../../loop.ts'
import type { TopicSettings } from '../../messaging.ts'

// A group that is no longer used holds pruning up until its positions are deleted.
const isPassed = `not exists (select 1 from topic_positions as p
  where p.topic = m.topic and p.partition = m.partition and p.position < m.position)`
// Compaction: the newest message of a key stays for ever, so that a new group can be built from
// the topic.
const compactTopics = sql(
  'kit.topic_compact',
  `delete from topic_messages as gone using (
     select m.topic, m.position from topic_messages as m
     where m.created_at < now() - make_interval(secs => $1)
       and m.topic <> all ($3::text[])
       and exists (select 1 from topic_messages as newer
         where newer.topic = m.topic and newer.key = m.key and newer.position > m.position)
       and ${isPassed}
     limit $2
   ) as old
   where gone.topic = old.topic and gone.position = old.position`,
)
const expireTopic = sql(
  'kit.topic_expire',
  `delete from topic_messages as gone using (
     select m.topic, m.position from topic_messages as m
     where m.topic = $3 and m.created_at < now() - make_interval(days => $1) and ${isPassed}
     order by m.position limit $2
   ) as old
   where gone.topic = old.topic and gone.position = old.position`,
)

// A batch that deletes in well under the statement time-out.
const batchSize = 2_000
const intervalMs = 3_600_000

export type PrunerOptions = {
  database: Database
  logger: Logger
  prepare: () => Promise<void>
  /** How each topic is kept; one that is not named is compacted. */
  topics: Readonly<Record<string, TopicSettings>>
  /** Age after which a message that a newer one of its key replaced may go. */
  retentionSeconds: number
}

/** Removes now and then what the topics need not keep any longer, once every group has passed it. */
export function createPruner(options: PrunerOptions) {
  const { database, logger, prepare, topics, retentionSeconds } = options
  const expiring = Object.entries(topics).flatMap(([topic, { retention }]) =>
    retention === 'compacted' ? [] : [{ topic, days: retention.days }],
  )
  const expiringNames = expiring.map(({ topic }) => topic)
  return createLoop({
    name: 'topic pruner',
    logger,
    backoff: { baseMs: 1_000, maxMs: 60_000 },
    async round() {
      await prepare()
      const removed = [
        await database.run(compactTopics, [retentionSeconds, batchSize, expiringNames]),
      ]
      for (const { topic, days } of expiring) {
        removed.push(await database.run(expireTopic, [days, batchSize, topic]))
      }
      return removed.includes(batchSize) ? 0 : intervalMs
    },
  })
}
