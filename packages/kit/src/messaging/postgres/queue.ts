import { type Database, sql } from '../../database.ts'
import {
  appendFailure,
  attemptDelivery,
  isFinal,
  type Limits,
  type Outcome,
  toFailure,
} from '../../delivery.ts'
import { AppError } from '../../errors.ts'
import { uuidv7 } from '../../ids.ts'
import type { Logger } from '../../logging.ts'
import { createLoop, jitteredDelayMs } from '../../loop.ts'
import type { Failure, Handler, Message } from '../../messaging.ts'
import type { Gate } from './gate.ts'

/** What every consumer of one embedded broker shares. */
export type Broker = {
  database: Database
  logger: Logger
  /** The consuming service, written on its dead letters. */
  service: string
  /** Creates the tables unless they exist; throws while the broker is away. */
  prepare(): Promise<void>
  /** Aborts when draining takes too long. */
  givingUp: AbortSignal
  /** The back-stop poll: for a notification that was lost. */
  pollMs: number
  /** Shared by the consumers of the process: any of them may be the one that kills it. */
  gate: Gate
}

/** Where the messages of an internal queue come from; written on its dead letters. */
export type Origin = { kind: 'queue' | 'topic'; name: string; group?: string }

export type QueueOptions = {
  broker: Broker
  queue: string
  origin: Origin
  handler: Handler
  limits: Limits
  prefetch: number
  /** How long a claim protects a message from other consumers. */
  leaseMs: number
}

export type Consumer = {
  ready: Promise<void>
  wake(): void
  start(): void
  stop(): Promise<void>
}

type QueueRow = {
  id: number
  message: Message
  attempts: number
  failingForMs: number
  history: readonly Failure[]
  /** It was in hand alone when its process was lost. */
  wasAlone: boolean
}

type NextDue = { delayMs: number | null; hasLost: boolean }

const claimed = `q.id, q.message, q.attempts, q.history,
  coalesce(extract(epoch from clock_timestamp() - q.failing_since) * 1000, 0)::float8
    as "failingForMs"`
// A message whose claim has run out may have killed its process: it is left to claimLost.
const claimMessages = sql(
  'kit.queue_claim',
  `update queue_messages as q
   set claim = $2, attempts = q.attempts + 1,
     available_at = clock_timestamp() + make_interval(secs => $3::float8 / 1000)
   from (
     select id from queue_messages
     where queue = $1 and available_at <= clock_timestamp()
     order by available_at, id limit $4 for update skip locked
   ) as due
   where q.id = due.id and q.claim is null
   returning ${claimed}, false as "wasAlone"`,
)
const claimLost = sql(
  'kit.queue_claim_lost',
  `update queue_messages as q
   set claim = $2, attempts = q.attempts + 1, is_alone = true,
     available_at = clock_timestamp() + make_interval(secs => $3::float8 / 1000)
   from (
     select id, is_alone from queue_messages
     where queue = $1 and available_at <= clock_timestamp() and claim is not null
     order by available_at, id limit 1 for update skip locked
   ) as lost
   where q.id = lost.id
   returning ${claimed}, lost.is_alone as "wasAlone"`,
)
const nextDue = sql(
  'kit.queue_next_due',
  `select (extract(epoch from min(available_at) - clock_timestamp()) * 1000)::float8 as "delayMs",
     exists (select from queue_messages
       where queue = $1 and available_at <= clock_timestamp() and claim is not null) as "hasLost"
   from queue_messages where queue = $1`,
)
// The claim is part of each condition: a lease that was lost must not touch the next claimant's.
const acknowledge = sql(
  'kit.queue_acknowledge',
  `delete from queue_messages using unnest($1::bigint[], $2::uuid[]) as done (id, claim)
   where queue_messages.id = done.id and queue_messages.claim = done.claim`,
)
const postpone = sql(
  'kit.queue_postpone',
  `update queue_messages set claim = null, is_alone = false, attempts = $3,
     available_at = clock_timestamp() + make_interval(secs => $4::float8 / 1000),
     failing_since = coalesce(failing_since, clock_timestamp()), history = $5
   where id = $1 and claim = $2`,
)
const release = sql(
  'kit.queue_release',
  `update queue_messages set claim = null, is_alone = false, attempts = attempts - 1,
     available_at = clock_timestamp()
   where id = $1 and claim = $2`,
)
const bury = sql(
  'kit.queue_bury',
  `with gone as (
     delete from queue_messages where id = $1 and claim = $2 returning message, history
   )
   insert into dead_letters
     (id, kind, name, group_name, service, type, message, attempts, code, reason, history)
   select $3, $4, $5, $6, $7, message->>'type', message, $8, $9, $10, $11 from gone`,
)

/** What is written on a message whose tries ended with the process, again and again. */
export function deliveryLimit(): AppError {
  const text = 'Every try ended without an answer: it may take the process down.'
  return new AppError('internal', 'DELIVERY_LIMIT', text)
}

/** Competing consumption of one queue by this process. */
export function createQueueConsumer(options: QueueOptions): Consumer {
  const { broker, queue, origin, handler, limits, prefetch, leaseMs } = options
  const { database, logger } = broker
  const inHand = new Set<Promise<void>>()
  const acknowledger = createAcknowledger(broker)
  const { promise: ready, resolve: setReady } = Promise.withResolvers<void>()
  let isStopping = false

  async function refuse(row: QueueRow, claim: string, outcome: Exclude<Outcome, 'done'>) {
    const { failure, verdict } = outcome
    const history = JSON.stringify(appendFailure(row.history, failure))
    if (isFinal(outcome, row, limits)) {
      const { kind, name, group = null } = origin
      const { code, reason } = failure
      const target = [uuidv7(), kind, name, group, broker.service]
      const summary = [row.attempts, code, reason, history]
      await database.run(bury, [row.id, claim, ...target, ...summary])
      logger.error({ queue, messageId: row.message.id, code }, 'a message became a dead letter')
      return
    }
    const attempts = verdict === 'outage' ? row.attempts - 1 : row.attempts
    const delayMs = jitteredDelayMs(limits.backoff, row.history.length + 1)
    await database.run(postpone, [row.id, claim, attempts, delayMs, history])
    logger.warn(
      { queue, messageId: row.message.id, code: failure.code },
      'a message will be retried',
    )
    loop.wake()
  }

  async function deliver(row: QueueRow, claim: string): Promise<void> {
    const { message, attempts: attempt } = row
    try {
      if (row.wasAlone && attempt > limits.maxAttempts) {
        const failure = toFailure(deliveryLimit(), attempt - 1)
        await refuse({ ...row, attempts: attempt - 1 }, claim, { verdict: 'dead-letter', failure })
        return
      }
      const { deadlineMs } = limits
      const stopping = broker.givingUp
      const outcome = await attemptDelivery({ handler, message, attempt, deadlineMs, stopping })
      if (outcome === 'done') await acknowledger.acknowledge(row.id, claim)
      else if (stopping.aborted) await database.run(release, [row.id, claim])
      else await refuse(row, claim, outcome)
    } catch (error) {
      // The broker is away: the lease ends and the message is delivered again.
      logger.warn({ err: error, queue, messageId: message.id }, 'an outcome was not recorded')
    }
  }

  /** Claims up to `limit` messages and begins to deliver them; returns how many. */
  function takeInHand(limit: number): Promise<number> {
    return broker.gate.together(async (hold) => {
      const claim = uuidv7()
      const rows = await database.query<QueueRow>(claimMessages, [queue, claim, leaseMs, limit])
      for (const row of rows) {
        const work = deliver(row, claim).finally(() => {
          inHand.delete(work)
          // One claim for half a prefetch of messages costs less than one claim each.
          if (inHand.size <= prefetch / 2) loop.wake()
        })
        inHand.add(work)
        hold(work)
      }
      return rows.length
    })
  }

  /** Those that were in hand with one that killed its process must not be in hand with it again. */
  function deliverLost(): Promise<void> {
    return broker.gate.alone(async () => {
      if (isStopping) return
      const claim = uuidv7()
      const row = await database.maybe<QueueRow>(claimLost, [queue, claim, leaseMs])
      if (row !== undefined) await deliver(row, claim)
    })
  }

  const loop = createLoop({
    name: `queue ${queue}`,
    logger,
    // The broker's own outage; short, because its return should be noticed soon.
    backoff: { baseMs: 100, maxMs: 1_000 },
    async round() {
      await broker.prepare()
      setReady()
      const free = prefetch - inHand.size
      if (free <= 0 || isStopping) return broker.pollMs
      if ((await takeInHand(free)) === free) return broker.pollMs
      const due = await database.maybe<NextDue>(nextDue, [queue])
      if (due?.hasLost) {
        await deliverLost()
        return 0
      }
      const delayMs = due?.delayMs ?? broker.pollMs
      // A message that is due but locked is being claimed by a replica; do not spin on it.
      return Math.min(Math.max(delayMs, 20), broker.pollMs)
    },
  })

  return {
    ready,
    wake: loop.wake,
    start: loop.start,
    async stop() {
      isStopping = true
      await loop.stop()
      await Promise.all(inHand)
    },
  }
}

/** Gathers what is acknowledged while a deletion is under way into the next one. */
function createAcknowledger({ database }: Broker) {
  let waiting: { id: number; claim: string }[] = []
  let next: Promise<void> | undefined
  let current: Promise<unknown> = Promise.resolve()

  async function flush(previous: Promise<unknown>): Promise<void> {
    await previous
    const batch = waiting
    waiting = []
    next = undefined
    const work = database.run(acknowledge, [batch.map((a) => a.id), batch.map((a) => a.claim)])
    // The failure is thrown to those who wait for this batch; the next batch only waits its turn.
    current = work.then(
      () => undefined,
      () => undefined,
    )
    await work
  }

  return {
    acknowledge(id: number, claim: string): Promise<void> {
      waiting.push({ id, claim })
      next ??= flush(current)
      return next
    },
  }
}
