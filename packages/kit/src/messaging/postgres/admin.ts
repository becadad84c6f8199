import { type Database, sql } from '../../database.ts'
import { AppError } from '../../errors.ts'
import { isUuid } from '../../ids.ts'
import type { Logger } from '../../logging.ts'
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterSummary,
  DeadLetters,
  Message,
  MessagingStats,
  QueueStats,
  TopicStats,
} from '../../messaging.ts'
import { notifyBroker } from './schema.ts'

type DeadLetterRow = {
  id: string
  kind: 'queue' | 'topic'
  name: string
  group: string | null
  service: string
  message: Message
  attempts: number
  code: string
  reason: string
  history: DeadLetter['history']
  failedAt: Date
}

const columns = `id, kind, name, group_name as "group", service, attempts, code, reason,
  failed_at as "failedAt"`
const listLetters = sql(
  'kit.dead_letters_list',
  `select ${columns}, message - 'data' as message from dead_letters
   where ($1::uuid is null or id < $1) and ($2::text is null or service = $2)
     and ($3::text is null or type = $3)
     and ($4::timestamptz is null or failed_at < $4)
     and ($5::timestamptz is null or failed_at >= $5)
   order by id desc limit $6`,
)
const getLetter = sql(
  'kit.dead_letters_get',
  `select ${columns}, message, history from dead_letters where id = $1`,
)
const takeLetter = sql(
  'kit.dead_letters_take',
  `delete from dead_letters where id = $1
   returning kind, name, group_name as "group", message, history`,
)
const requeue = sql(
  'kit.queue_requeue',
  'insert into queue_messages (queue, message) values ($1, $2)',
)
const queueStats = sql(
  'kit.queue_stats',
  `select queue, count(*) as depth,
     count(*) filter (where claim is not null and available_at > clock_timestamp()) as "inFlight",
     extract(epoch from clock_timestamp() - min(created_at))::float8 as "oldestAgeSeconds"
   from queue_messages group by queue order by queue`,
)
const topicStats = sql(
  'kit.topic_stats',
  `select p.topic, p.group_name as "group", count(m.position) as lag
   from topic_positions as p left join topic_messages as m
     on m.topic = p.topic and m.partition = p.partition and m.position > p.position
   group by p.topic, p.group_name order by p.topic, p.group_name`,
)
const countLetters = sql('kit.dead_letters_count', 'select count(*) as count from dead_letters')
/** The internal queue by which a dead letter of a topic returns to the one group it came from. */
export function replayQueue(topic: string, group: string): string {
  return `replay:${topic}:${group}`
}

function toSummary(row: DeadLetterRow): DeadLetterSummary {
  const { id, kind, name, group, service, message, attempts, code, reason, failedAt } = row
  return {
    id,
    address: { kind, name },
    ...(group === null ? {} : { group }),
    service,
    message,
    attempts,
    code,
    reason,
    failedAt: failedAt.toISOString(),
  }
}

function letterNotFound(): AppError {
  return new AppError('not-found', 'DEAD_LETTER_NOT_FOUND', 'There is no such dead letter.')
}

/** What is no id of ours cannot be the id of a letter, and PostgreSQL would not even compare it. */
function checkId(id: string): void {
  if (!isUuid(id)) throw letterNotFound()
}

function unknownCursor(): AppError {
  return new AppError('invalid', 'INVALID_REQUEST', 'The request has fields that cannot be used.', {
    errors: [{ pointer: '/query/cursor', detail: 'is not a cursor of this list' }],
  })
}

/** The dead letters of the embedded broker. `prepare` makes sure that the tables exist. */
export function createDeadLetters(
  database: Database,
  logger: Logger,
  prepare: () => Promise<void>,
): DeadLetters {
  return {
    async list({ limit, cursor, service, type, failedBefore, failedAfter }: DeadLetterFilter) {
      if (cursor !== undefined && !isUuid(cursor)) throw unknownCursor()
      await prepare()
      const values = [
        ...[cursor ?? null, service ?? null, type ?? null],
        ...[failedBefore ?? null, failedAfter ?? null, limit + 1],
      ]
      const rows = await database.query<DeadLetterRow>(listLetters, values)
      const items = rows.slice(0, limit).map(toSummary)
      return { items, nextCursor: rows.length > limit ? items.at(-1)?.id : undefined }
    },
    async get(id) {
      checkId(id)
      await prepare()
      const row = await database.one<DeadLetterRow>(getLetter, [id], letterNotFound)
      return { ...toSummary(row), message: row.message, history: row.history }
    },
    async replay(id) {
      checkId(id)
      await prepare()
      await database.transaction(async (tx) => {
        const letter = await tx.one<DeadLetterRow>(takeLetter, [id], letterNotFound)
        const { name, group, message } = letter
        const queue = group === null ? name : replayQueue(name, group)
        await tx.run(requeue, [queue, JSON.stringify(message)])
        await tx.run(notifyBroker, [`queue:${queue}`])
      })
      logger.info({ deadLetterId: id }, 'a dead letter was replayed')
    },
    async discard(id, reason) {
      checkId(id)
      await prepare()
      if ((await database.run(takeLetter, [id])) === 0) throw letterNotFound()
      logger.info({ deadLetterId: id, reason }, 'a dead letter was discarded')
    },
  }
}

/** Counts what waits and what is stuck. */
export async function readStats(database: Database): Promise<MessagingStats> {
  const queues = await database.query<QueueStats>(queueStats)
  const topics = await database.query<TopicStats>(topicStats)
  const letters = await database.maybe<{ count: number }>(countLetters)
  return { queues, topics, deadLetters: letters?.count ?? 0 }
}
