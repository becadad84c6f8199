import { sql, type Tx } from '../../database.ts'
import { appendFailure, attemptDelivery, isFinal, toFailure } from '../../delivery.ts'
import { uuidv7 } from '../../ids.ts'
import { jitteredDelayMs } from '../../loop.ts'
import type { Failure, Message } from '../../messaging.ts'
import { deliveryLimit } from './queue.ts'
import type { GroupOptions, TopicRow } from './topic.ts'

type Claim = {
  partition: number
  position: number
  attempts: number
  failingForMs: number
  history: readonly Failure[]
  isSuspect: boolean
}

// Few enough to be handled within the transaction's bound, enough to spread its cost.
export const batchSize = 100
// A batch ends early after this long, so that the claim's transaction stays short.
const batchMs = 2_000

// As a scalar it is one step down the index for each partition; as `exists` it becomes a join that
// reads the whole topic.
export const isBehind = `(
  select max(m.position) from topic_messages as m
  where m.topic = p.topic and m.partition = p.partition
) > p.position`
// The row lock is the claim: it lives as long as the transaction, so a crash frees it at once.
const claimPartition = sql(
  'kit.topic_claim',
  `select p.partition, p.position, p.attempts, p.history,
     set_config('idle_in_transaction_session_timeout', $3, true),
     coalesce(extract(epoch from clock_timestamp() - failing_since) * 1000, 0)::float8
       as "failingForMs",
     coalesce(c.through > p.position, false) as "isSuspect"
   from topic_positions as p left join topic_claims as c using (topic, group_name, partition)
   where topic = $1 and group_name = $2
     and (retry_at is null or retry_at <= clock_timestamp())
     and (c.through > p.position or not $4::boolean)
     and ${isBehind}
   order by random() limit 1 for update of p skip locked`,
)
const readPartition = sql(
  'kit.topic_read_partition',
  `select position, message from topic_messages
   where topic = $1 and partition = $2 and position > $3 order by position limit ${batchSize}`,
)
const watch = sql(
  'kit.topic_watch',
  `insert into topic_claims as c (topic, group_name, partition, position, through, claims)
   values ($1, $2, $3, $4, $5, $6)
   on conflict (topic, group_name, partition) do update set
     claims = excluded.claims + case when c.position = excluded.position then c.claims else 0 end,
     position = excluded.position,
     through = greatest(c.through, excluded.through)
   returning claims`,
)
// The process has survived the whole batch, or one message of a batch that it did not survive.
const unwatch = sql(
  'kit.topic_unwatch',
  `update topic_claims set claims = 0, through = case when $4::boolean then through else position end
   where topic = $1 and group_name = $2 and partition = $3`,
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

/** What came of a look for a partition with messages; a suspect one has to be taken alone. */
export type PartitionOutcome = 'idle' | 'worked' | 'suspect'

export type PartitionTurn = {
  /** Nobody else of this process has anything in hand: takes one message of a suspect partition. */
  isAlone: boolean
  onClaim: () => void
}

/** One partition in hand: claims it, handles a batch in order, moves the position. */
export function createPartitionWork(options: GroupOptions, isStopping: () => boolean) {
  const { broker, topic, group, handler, limits } = options
  const { database, logger, givingUp: stopping } = broker
  const { deadlineMs } = limits
  // The server must outwait the handler, whose time counts as idle here.
  const idleTimeout = `${batchMs + deadlineMs + 10_000}ms`
  // A message that kills its process does so soon after the next one has started, so the first
  // batch of each partition is watched, and those after a crash; the others cost nothing more.
  const watched = new Set<number>()

  async function bury(tx: Tx, message: Message, attempts: number, history: readonly Failure[]) {
    const { code = '', reason = '' } = history.at(-1) ?? {}
    const target = [uuidv7(), topic, group, broker.service, message.type, JSON.stringify(message)]
    await tx.run(insertDeadLetter, [...target, attempts, code, reason, JSON.stringify(history)])
    logger.error({ topic, group, messageId: message.id, code }, 'a message became a dead letter')
  }

  /** Returns how often the first of the rows has taken its process down, all alone. */
  async function startWatch(claim: Claim, rows: readonly TopicRow[], isAlone: boolean) {
    watched.add(claim.partition)
    const through = rows.at(-1)?.position ?? claim.position
    const values = [topic, group, claim.partition, claim.position, through, isAlone ? 1 : 0]
    // Not in the claim's transaction, which a crash undoes.
    const row = await database.maybe<{ claims: number }>(watch, values)
    return isAlone ? (row?.claims ?? 1) - 1 : 0
  }

  /** Tries a message: the group moves on over it, waits for its next try, or leaves it for now. */
  async function deliver(tx: Tx, row: TopicRow, claim: Claim): Promise<'passed' | 'held' | 'left'> {
    const { message } = row
    const attempt = claim.attempts + 1
    const outcome = await attemptDelivery({ handler, message, attempt, deadlineMs, stopping })
    if (outcome === 'done') return 'passed'
    if (stopping.aborted) return 'left'
    const { failingForMs, partition, position } = claim
    const { code } = outcome.failure
    const history = appendFailure(claim.history, outcome.failure)
    if (isFinal(outcome, { attempts: attempt, failingForMs }, limits)) {
      await bury(tx, message, attempt, history)
      return 'passed'
    }
    const counted = outcome.verdict === 'outage' ? claim.attempts : attempt
    const delayMs = jitteredDelayMs(limits.backoff, history.length)
    const state = [position, counted, JSON.stringify(history), delayMs]
    await tx.run(holdBack, [topic, group, partition, ...state])
    logger.warn({ topic, group, messageId: message.id, code }, 'a message will be retried')
    return 'held'
  }

  /** Handles the rows in order from where the claim stands. */
  async function deliverBatch(tx: Tx, rows: readonly TopicRow[], start: Claim): Promise<void> {
    const endsAt = performance.now() + batchMs
    let claim = start
    for (const row of rows) {
      if (isStopping() || performance.now() > endsAt) break
      const result = await deliver(tx, row, claim)
      if (result === 'held') return
      if (result === 'left') break
      claim = { ...claim, position: row.position, attempts: 0, failingForMs: 0, history: [] }
    }
    if (claim.position === start.position) return
    await tx.run(advance, [topic, group, claim.partition, claim.position])
  }

  async function buryDeadly(tx: Tx, { position, message }: TopicRow, claim: Claim): Promise<void> {
    const failure = toFailure(deliveryLimit(), claim.attempts)
    await bury(tx, message, claim.attempts, appendFailure(claim.history, failure))
    await tx.run(advance, [topic, group, claim.partition, position])
  }

  return async function consumePartition(tx: Tx, turn: PartitionTurn): Promise<PartitionOutcome> {
    const { isAlone, onClaim } = turn
    const claim = await tx.maybe<Claim>(claimPartition, [topic, group, idleTimeout, isAlone])
    if (claim === undefined) return 'idle'
    if (claim.isSuspect && !isAlone) return 'suspect'
    onClaim()
    const { partition, position } = claim
    const batch = await tx.query<TopicRow>(readPartition, [topic, partition, position])
    const rows = isAlone ? batch.slice(0, 1) : batch
    const isWatched = isAlone || !watched.has(partition)
    const crashes = isWatched ? await startWatch(claim, rows, isAlone) : 0
    const counted = { ...claim, attempts: claim.attempts + crashes }
    const [first] = rows
    if (first && crashes > 0 && counted.attempts >= limits.maxAttempts) {
      await buryDeadly(tx, first, counted)
    } else {
      await deliverBatch(tx, rows, counted)
    }
    if (isWatched) await tx.run(unwatch, [topic, group, partition, isAlone])
    return 'worked'
  }
}
