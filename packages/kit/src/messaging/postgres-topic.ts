import { sql, type Tx } from '../database.ts'
import { attemptDelivery, type Limits } from '../delivery.ts'
import { uuidv7 } from '../ids.ts'
import { createLoop, jitteredDelayMs } from '../loop.ts'
import type { Failure, Handler, Message, StartPosition } from '../messaging.ts'
import { appendFailure, type Broker, type Consumer, isFinal } from './postgres-queue.ts'
import { partitionCount } from './postgres-schema.ts'

export type TopicOptions = {
  broker: Broker
  topic: string
  from: StartPosition
  handler: Handler
  limits: Limits
}

export type GroupOptions = TopicOptions & {
  group: string
  /** Partitions that this process handles at once; each holds a connection meanwhile. */
  concurrency: number
}

export type TopicRow = { position: number; message: Message }
type Claim = {
  partition: number
  position: number
  attempts: number
  failingForMs: number
  history: readonly Failure[]
}

// Few enough to be handled within the transaction's bound, enough to spread its cost.
export const batchSize = 100
// The broker's own outage; short, because its return should be noticed soon.
const backoff = { baseMs: 100, maxMs: 1_000 }
// A batch ends early after this long, so that the claim's transaction stays short.
const batchMs = 2_000

/** The position to start from as an SQL expression over {@link startParameters}. */
export const startPosition = `coalesce((
  select max(position) from topic_messages
  where topic = $1 and ($2 = 'end' or ($2 = 'since'
    and created_at < clock_timestamp() - make_interval(secs => $3::float8 / 1000)))
), 0)`
const createPositions = sql(
  'kit.topic_create_positions',
  `insert into topic_positions (topic, group_name, partition, position)
   select $1, $4, partition, ${startPosition}
   from generate_series(0, ${partitionCount - 1}) as partition
   on conflict do nothing`,
)
// As a scalar it is one step down the index for each partition; as `exists` it becomes a join that
// reads the whole topic.
const isBehind = `(
  select max(m.position) from topic_messages as m
  where m.topic = p.topic and m.partition = p.partition
) > p.position`
// The row lock is the claim: it lives as long as the transaction, so a crash frees it at once.
const claimPartition = sql(
  'kit.topic_claim',
  `select partition, position, attempts, history,
     set_config('idle_in_transaction_session_timeout', $3, true),
     coalesce(extract(epoch from clock_timestamp() - failing_since) * 1000, 0)::float8
       as "failingForMs"
   from topic_positions as p
   where topic = $1 and group_name = $2
     and (retry_at is null or retry_at <= clock_timestamp())
     and ${isBehind}
   order by random() limit 1 for update skip locked`,
)
const readPartition = sql(
  'kit.topic_read_partition',
  `select position, message from topic_messages
   where topic = $1 and partition = $2 and position > $3 order by position limit ${batchSize}`,
)
const advance = sql(
  'kit.topic_advance',
  `update topic_positions
   set position = $4, attempts = 0, retry_at = null, failing_since = null, history = '[]'
   where topic = $1 and group_name = $2 and partition = $3`,
)
const holdBack = sql(
  'kit.topic_hold_back',
  `update topic_positions
   set position = $4, attempts = $5, history = $6,
     retry_at = clock_timestamp() + make_interval(secs => $7::float8 / 1000),
     failing_since = case when position = $4 then coalesce(failing_since, clock_timestamp())
       else clock_timestamp() end
   where topic = $1 and group_name = $2 and partition = $3`,
)
const insertDeadLetter = sql(
  'kit.topic_bury',
  `insert into dead_letters
     (id, kind, name, group_name, service, type, message, attempts, code, reason, history)
   values ($1, 'topic', $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
)
// Of the partitions that are behind: those that wait for a retry, and those in a replica's hands,
// which would be nobody's without a word if it died.
const nextLook = sql(
  'kit.topic_next_look',
  `select min(coalesce(extract(epoch from retry_at - clock_timestamp()) * 1000, 0))::float8
     as "delayMs"
   from topic_positions as p
   where topic = $1 and group_name = $2 and ${isBehind}`,
)
// How soon to look again at a partition that a replica has in hand.
const standbyMs = 250

/** The parameters `$1`–`$3` of {@link startPosition}. */
export function startParameters(topic: string, from: StartPosition): unknown[] {
  return typeof from === 'string' ? [topic, from, 0] : [topic, 'since', from.sinceMs]
}

/** One partition in hand: claims it, handles a batch in order, moves the position. */
function createPartitionWork(options: GroupOptions, isStopping: () => boolean) {
  const { broker, topic, group, handler, limits } = options
  const { logger, givingUp: stopping } = broker
  const { deadlineMs } = limits
  // The server must outwait the handler, whose time counts as idle here.
  const idleTimeout = `${batchMs + deadlineMs + 10_000}ms`

  async function bury(tx: Tx, message: Message, attempts: number, history: readonly Failure[]) {
    const { code = '', reason = '' } = history.at(-1) ?? {}
    const target = [uuidv7(), topic, group, broker.service, message.type, JSON.stringify(message)]
    await tx.run(insertDeadLetter, [...target, attempts, code, reason, JSON.stringify(history)])
    logger.error({ topic, group, messageId: message.id, code }, 'a message became a dead letter')
  }

  /** Returns false when there was nothing to claim. */
  return async function consumePartition(tx: Tx, onClaim: () => void): Promise<boolean> {
    const claim = await tx.maybe<Claim>(claimPartition, [topic, group, idleTimeout])
    if (claim === undefined) return false
    onClaim()
    const place = [topic, group, claim.partition]
    const rows = await tx.query<TopicRow>(readPartition, [topic, claim.partition, claim.position])
    const endsAt = performance.now() + batchMs
    let { position, attempts, failingForMs, history } = claim
    for (const { position: at, message } of rows) {
      if (isStopping() || performance.now() > endsAt) break
      const attempt = attempts + 1
      const outcome = await attemptDelivery({ handler, message, attempt, deadlineMs, stopping })
      if (outcome !== 'done') {
        if (stopping.aborted) break
        const { code } = outcome.failure
        history = appendFailure(history, outcome.failure)
        if (!isFinal(outcome, { attempts: attempt, failingForMs }, limits)) {
          const counted = outcome.verdict === 'outage' ? attempts : attempt
          const delayMs = jitteredDelayMs(limits.backoff, history.length)
          await tx.run(holdBack, [...place, position, counted, JSON.stringify(history), delayMs])
          logger.warn({ topic, group, messageId: message.id, code }, 'a message will be retried')
          return true
        }
        await bury(tx, message, attempt, history)
      }
      position = at
      attempts = 0
      failingForMs = 0
      history = []
    }
    if (position !== claim.position) await tx.run(advance, [...place, position])
    return true
  }
}

/** A named group: its replicas share the partitions, each partition in strict order. */
export function createGroupConsumer(options: GroupOptions): Consumer {
  const { broker, topic, group, from, concurrency } = options
  const { database, logger } = broker
  const { promise: ready, resolve: setReady } = Promise.withResolvers<void>()
  let isStopping = false
  let isRegistered = false
  const consumePartition = createPartitionWork(options, () => isStopping)

  async function register(): Promise<void> {
    if (isRegistered) return
    await broker.prepare()
    await database.run(createPositions, [...startParameters(topic, from), group])
    isRegistered = true
    setReady()
  }

  const workers = Array.from({ length: concurrency }, (_, index) => {
    const worker = {
      isBusy: false,
      loop: createLoop({ name: `topic ${topic} ${group}`, logger, backoff, round }),
    }
    async function round(): Promise<number> {
      await register()
      if (isStopping) return broker.pollMs
      try {
        const hadWork = await database.transaction(
          (tx) =>
            consumePartition(tx, () => {
              worker.isBusy = true
              // There may be more behind this one: the workers are called up one by one.
              workers[index + 1]?.loop.wake()
            }),
          // The handlers' effects are outside: a second run would repeat them at once.
          { maxAttempts: 1 },
        )
        if (hadWork) return 0
      } finally {
        worker.isBusy = false
      }
      const look = await database.maybe<{ delayMs: number | null }>(nextLook, [topic, group])
      const delayMs = look?.delayMs ?? broker.pollMs
      return Math.min(delayMs > 0 ? delayMs : standbyMs, broker.pollMs)
    }
    return worker
  })

  return {
    ready,
    wake() {
      const idle = workers.find(({ isBusy }) => !isBusy)
      if (idle) idle.loop.wake()
      else for (const { loop } of workers) loop.wake()
    },
    start() {
      for (const { loop } of workers) loop.start()
    },
    async stop() {
      isStopping = true
      await Promise.all(workers.map(({ loop }) => loop.stop()))
    },
  }
}
