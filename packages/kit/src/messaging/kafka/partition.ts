import { appendFailure, attemptDelivery, isFinal, type Limits, toFailure } from '../../delivery.ts'
import { AppError } from '../../errors.ts'
import { uuidv7 } from '../../ids.ts'
import type { Logger } from '../../logging.ts'
import { jitteredDelayMs } from '../../loop.ts'
import type { DeadLetter, Failure, Handler, Message } from '../../messaging.ts'
import { logFault } from './errors.ts'
import { type Feed, type Inbound, pauseUnless } from './feed.ts'
import type { Note, Offsets } from './offsets.ts'

/** What the partitions of one group share. */
export type GroupWork = {
  topic: string
  group: string
  service: string
  handler: Handler
  limits: Limits
  logger: Logger
  /** Keeps the handlers that run at once within a bound. */
  inTurn<T>(work: () => Promise<T>): Promise<T>
  /** Resolves when the letter is stored durably. */
  bury(letter: DeadLetter): Promise<void>
  /** Aborts when draining takes too long. */
  givingUp: AbortSignal
}

export type PartitionOptions = {
  work: GroupWork
  feed: Feed
  offsets: Offsets
  /** Where the partition stood when it was assigned, and what was noted there. */
  start: { offset: bigint; note: Note }
  /** Aborts when the partition is to be given up: what is in hand is finished, no more. */
  closing: AbortSignal
}

// What one commit may cover: where a process ended without a word, any of so many can be at fault.
const carefulFor = 100n
const buryBackoff = { baseMs: 100, maxMs: 5_000 }
const fresh: Note = { attempts: 0, isOpen: true }

/** Reads a record's message; undefined for a tombstone, and for what is no CloudEvent of ours. */
export function parseMessage({ value }: Inbound): Message | undefined {
  if (value === null) return undefined
  try {
    const message = JSON.parse(value.toString()) as Partial<Message> | null
    const { id, type, partitionkey } = message ?? {}
    const isMessage = [id, type, partitionkey].every((field) => typeof field === 'string')
    return isMessage ? (message as Message) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Handles the messages of one partition, strictly in order, until it is to be given up. */
export async function consumePartition(options: PartitionOptions): Promise<void> {
  const { work, feed, offsets, start, closing } = options
  const { logger } = work
  const place = { topic: feed.topic, partition: feed.partition }
  const wasCut = start.note.isOpen || start.note.attempts > 0
  const carefulUntil = wasCut ? start.offset + carefulFor : start.offset
  let { offset } = start
  let note = start.note

  for (;;) {
    const record = await feed.take(closing)
    if (record === undefined) break
    const ofRecord = record.offset === offset ? note : fresh
    const message = parseMessage(record)
    if (message === undefined && record.value !== null) {
      const at = { ...place, offset: Number(record.offset) }
      logger.error(at, 'a record that is no message was passed over')
    }
    if (message && !(await deliverMessage({ ...options, record, message, note: ofRecord }))) return
    offset = record.offset + 1n
    note = fresh
    offsets.set(place, offset, note)
    if (offset <= carefulUntil) await commitSurely(offsets, closing)
    else if (feed.isIdle()) offsets.flushSoon()
  }
  // Nothing of it is in hand any more: whoever is next need not suspect the message there.
  offsets.set(place, offset, { ...note, isOpen: false })
}

async function commitSurely(offsets: Offsets, closing: AbortSignal): Promise<void> {
  while (!closing.aborted && !(await offsets.flush())) {
    await pauseUnless(closing, jitteredDelayMs(buryBackoff, 1))
  }
}

type Trial = PartitionOptions & { record: Inbound; message: Message; note: Note }

/** Tries until the message is done with, as applied or as a dead letter; false when cut short. */
async function deliverMessage(trial: Trial): Promise<boolean> {
  const { work, offsets, record, message, closing } = trial
  const { limits, handler, givingUp, logger, topic, group } = work
  let { attempts, failingSince } = trial.note
  let history: readonly Failure[] = []
  if (attempts >= limits.maxAttempts) return bury(trial, [toDeliveryLimit(attempts)])
  for (let failures = 1; ; failures += 1) {
    const attempt = attempts + 1
    const stopping = givingUp
    const trying = { handler, message, attempt, deadlineMs: limits.deadlineMs, stopping }
    const outcome = await work.inTurn(async () =>
      closing.aborted ? 'too late' : attemptDelivery(trying),
    )
    if (outcome === 'done') return true
    if (outcome === 'too late' || givingUp.aborted) {
      offsets.set(record, record.offset, { attempts, isOpen: false, failingSince })
      return false
    }
    const { code } = outcome.failure
    history = appendFailure(history, outcome.failure)
    failingSince ??= Date.now()
    const standing = { attempts: attempt, failingForMs: Date.now() - failingSince }
    if (isFinal(outcome, standing, limits)) return bury(trial, history, attempt)
    if (outcome.verdict !== 'outage') attempts = attempt
    offsets.set(record, record.offset, { attempts, isOpen: false, failingSince })
    logger.warn({ topic, group, messageId: message.id, code }, 'a message will be retried')
    await pauseUnless(closing, jitteredDelayMs(limits.backoff, failures))
    if (closing.aborted) return false
  }
}

function toDeliveryLimit(attempts: number): Failure {
  const reason = `The process ended while it handled the message, or a try failed, ${attempts} times.`
  return toFailure(new AppError('internal', 'DELIVERY_LIMIT', reason), attempts)
}

/** Waits for the broker as long as it takes: a message is not passed over before its letter is safe. */
async function bury(
  { work, offsets, record, message, note, closing }: Trial,
  history: readonly Failure[],
  attempts = history.at(-1)?.attempt ?? 0,
): Promise<boolean> {
  const { topic, group, service, logger } = work
  const { code = '', reason = '', at = '' } = history.at(-1) ?? {}
  const address = { kind: 'topic' as const, name: topic }
  const cause = { code, reason, failedAt: at, history }
  const letter = { id: uuidv7(), address, group, service, message, attempts, ...cause }
  for (let failures = 1; ; failures += 1) {
    try {
      await work.bury(letter)
      logger.error({ topic, group, messageId: message.id, code }, 'a message became a dead letter')
      return true
    } catch (error) {
      logFault(logger, error, 'a dead letter could not be stored')
    }
    await pauseUnless(closing, jitteredDelayMs(buryBackoff, failures))
    if (!closing.aborted) continue
    offsets.set(record, record.offset, { ...note, isOpen: false })
    return false
  }
}
