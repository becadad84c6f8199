import { sql } from '../../database.ts'
import { attemptDelivery, createReplayer, isFinal } from '../../delivery.ts'
import { createLoop, jitteredDelayMs } from '../../loop.ts'
import type { TopicReplay } from '../../messaging.ts'
import { batchSize } from './partition.ts'
import type { Broker, Consumer } from './queue.ts'
import { startParameters, startPosition, type TopicOptions, type TopicRow } from './topic.ts'

const selectStart = sql('kit.topic_start', `select ${startPosition} as position`)
const readTopic = sql(
  'kit.topic_read',
  `select position, message from topic_messages
   where topic = $1 and position > $2 order by position limit ${batchSize}`,
)

/**
 * A private subscription: this process alone gets every message, from a position in memory. What
 * it feeds lives in memory too, so a message that fails for good is logged and passed over.
 */
export function createBroadcastConsumer(options: TopicOptions): Consumer {
  const { broker, topic, from, handler, limits } = options
  const { database, logger, givingUp: stopping } = broker
  const { promise: ready, resolve: setReady } = Promise.withResolvers<void>()
  let isStopping = false
  let position: number | undefined
  let failures = 0
  let attempts = 0
  let failingSince = 0
  let retryAt = 0

  async function register(): Promise<number> {
    await broker.prepare()
    const start = await database.maybe<{ position: number }>(
      selectStart,
      startParameters(topic, from),
    )
    setReady()
    return start?.position ?? 0
  }

  /** Handles the next message; false when it must be tried again. */
  async function consume({ position: at, message }: TopicRow): Promise<boolean> {
    const { deadlineMs } = limits
    const attempt = attempts + 1
    const outcome = await attemptDelivery({ handler, message, attempt, deadlineMs, stopping })
    if (outcome !== 'done') {
      const now = performance.now()
      if (failures === 0) failingSince = now
      failures += 1
      if (outcome.verdict !== 'outage') attempts += 1
      const failingForMs = now - failingSince
      const fields = { topic, messageId: message.id, code: outcome.failure.code }
      if (!isFinal(outcome, { attempts, failingForMs }, limits)) {
        retryAt = now + jitteredDelayMs(limits.backoff, failures)
        logger.warn(fields, 'a message will be retried')
        return false
      }
      logger.error(fields, 'a message was passed over')
    }
    position = at
    failures = 0
    attempts = 0
    retryAt = 0
    return true
  }

  const loop = createLoop({
    name: `topic ${topic}`,
    logger,
    // The broker's own outage; short, because its return should be noticed soon.
    backoff: { baseMs: 100, maxMs: 1_000 },
    async round() {
      position ??= await register()
      const waitMs = retryAt - performance.now()
      if (waitMs > 0) return waitMs
      const rows = await database.query<TopicRow>(readTopic, [topic, position])
      for (const row of rows) {
        if (isStopping) return 0
        if (!(await broker.gate.together(() => consume(row)))) return retryAt - performance.now()
      }
      return rows.length === batchSize ? 0 : broker.pollMs
    },
  })

  return {
    ready,
    wake: loop.wake,
    start: loop.start,
    async stop() {
      isStopping = true
      await loop.stop()
    },
  }
}

const selectEnd = sql(
  'kit.topic_end',
  'select coalesce(max(position), 0) as position from topic_messages where topic = $1',
)
const readUpTo = sql(
  'kit.topic_read_up_to',
  `select position, message from topic_messages
   where topic = $1 and position > $2 and position <= $3 order by position limit ${batchSize}`,
)

/** Implements `Topics.replayTopic`: from the start to the end that the topic has now. */
export async function replayTopic(broker: Broker, replay: TopicReplay): Promise<number> {
  const { database, givingUp } = broker
  const end = await database.one<{ position: number }>(selectEnd, [replay.topic], noEnd)
  const replayMessage = createReplayer(replay, givingUp)
  let position = 0
  let count = 0
  while (position < end.position) {
    const rows = await database.query<TopicRow>(readUpTo, [replay.topic, position, end.position])
    for (const row of rows) await replayMessage(row.message)
    position = rows.at(-1)?.position ?? end.position
    count += rows.length
  }
  return count
}

function noEnd(): Error {
  return new Error('An aggregate always has a row.')
}
