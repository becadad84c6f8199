import { setTimeout as pause } from 'node:timers/promises'
import { AppError } from '../../errors.ts'
import { jitteredDelayMs } from '../../loop.ts'
import type { Message, Publisher } from '../../messaging.ts'
import { messagesUnavailable, withDeadline } from '../unavailable.ts'
import type { Client, Link } from './client.ts'
import { toProtocolErrors, toResponse } from './errors.ts'
import type { TopicRegistry } from './topics.ts'

/** A record as it is published. Records of one key keep their order. */
export type Outbound = { topic: string; key: string; value: string; contentType: string }

export type KafkaPublisher = Publisher & {
  /** Resolves once every record is stored durably. Throws `MESSAGES_UNAVAILABLE`. */
  send(records: readonly Outbound[]): Promise<void>
  stop(): Promise<void>
}

type Job = { left: number; endsAt: number; resolve(): void; reject(error: unknown): void }
type Entry = {
  topic: string
  partition: number
  key: Buffer
  value: Buffer
  headers: Map<Buffer, Buffer>
  job: Job
}
/** By which a broker tells a repetition from a new batch, and an old try from a newer one. */
type Identity = { producerId: bigint; epoch: number; sequences: Map<string, number> }

// Below the 10 s after which a relay gives up on its batch.
const publishDeadlineMs = 8_000
// Of one request; with the bytes below it stays under a broker's default of 1 MB per batch.
const batchRecords = 500
const batchBytes = 512 * 1_024
// Less than a broker's default limit of 1,048,588 bytes by what the envelope of a batch takes.
const longestRecordBytes = 1_000_000
const backoff = { baseMs: 50, maxMs: 1_000 }
// The last epoch of a producer id; a new id follows.
const lastEpoch = 32_766
/** A message in structured mode, as the Kafka binding of CloudEvents 1.0 says. */
const cloudEvent = 'application/cloudevents+json; charset=UTF-8'

/** Where a broker lost the producer's state, or fenced it: it begins anew. */
const lostIdentity = new Set([
  ...['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'],
  ...['INVALID_PRODUCER_ID_MAPPING', 'PRODUCER_FENCED'],
])
/** Where trying again cannot help. */
const refusals = new Set([
  ...['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TOPIC_EXCEPTION'],
  ...[
    'TOPIC_AUTHORIZATION_FAILED',
    'CLUSTER_AUTHORIZATION_FAILED',
    'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  ],
])

/** The hash by which every client of Kafka chooses the partition of a key. */
export function murmur2(data: Uint8Array): number {
  const { length } = data
  const view = new DataView(data.buffer, data.byteOffset, length)
  let hash = 0x9747b28c ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let word = Math.imul(view.getInt32(at, true), 0x5bd1e995)
    word = Math.imul(word ^ (word >>> 24), 0x5bd1e995)
    hash = Math.imul(hash, 0x5bd1e995) ^ word
  }
  if (at < length) {
    for (let byte = length - 1; byte >= at; byte -= 1) {
      hash ^= view.getUint8(byte) << (8 * (byte - at))
    }
    hash = Math.imul(hash, 0x5bd1e995)
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1e995)
  return hash ^ (hash >>> 15)
}

/** A message as it is kept in a topic: a CloudEvent that any client can read. */
export function toRecord(topic: string, message: Message): Outbound {
  const value = JSON.stringify(message)
  return { topic, key: message.partitionkey, value, contentType: cloudEvent }
}

function toPlace({ topic, partition }: { topic: string; partition: number }): string {
  return `${topic}:${partition}`
}

/**
 * Publishes with an idempotent producer: one request under way, repeated as it is until it is
 * acknowledged by all replicas in sync. What is not acknowledged in time is given up under a new
 * epoch, so that the broker refuses a try that is still on its way somewhere.
 */
export function createKafkaPublisher(link: Link, registry: TopicRegistry): KafkaPublisher {
  const waiting: Entry[] = []
  let sending: Promise<void> | undefined
  let identity: Identity | undefined

  function takeBatch(): Entry[] {
    let bytes = 0
    let count = 0
    for (const { key, value } of waiting) {
      bytes += key.length + value.length
      if (count > 0 && (bytes > batchBytes || count === batchRecords)) break
      count += 1
    }
    return waiting.splice(0, count)
  }

  async function identify(client: Client): Promise<Identity> {
    if (identity && identity.epoch <= lastEpoch) return identity
    const { producerId, producerEpoch: epoch } = await client.ask(
      'any',
      'InitProducerId',
      null,
      0,
      -1n,
      -1,
    )
    identity = { producerId, epoch, sequences: new Map() }
    return identity
  }

  /** One try; returns the entries that are not acknowledged. */
  async function produce(client: Client, batch: readonly Entry[]): Promise<Entry[]> {
    const { producerId, epoch, sequences } = await identify(client)
    const byLeader = new Map<number, Entry[]>()
    for (const entry of batch) {
      const info = await client.topic(entry.topic)
      const leader = info?.leaders[entry.partition] ?? -1
      const entries = byLeader.get(leader)
      if (entries) entries.push(entry)
      else byLeader.set(leader, [entry])
    }
    const producing = new client.library.NumericMap()
    for (const [place, sequence] of sequences) producing.set(place, sequence)
    const rest = await Promise.all(
      [...byLeader].map(async ([leader, entries]) => {
        if (leader < 0) return entries
        const records = entries.map(({ job: _job, ...record }) => record)
        try {
          await client.ask(leader, 'Produce', -1, publishDeadlineMs, records, {
            producerId,
            producerEpoch: epoch,
            sequences: producing,
          })
          return []
        } catch (error) {
          return whatFailed(error, entries)
        }
      }),
    )
    const failed = new Set(rest.flat())
    for (const entry of batch) {
      const place = toPlace(entry)
      if (!failed.has(entry)) sequences.set(place, ((sequences.get(place) ?? 0) + 1) & 0x7fffffff)
    }
    if (failed.size > 0) client.forget()
    return batch.filter((entry) => failed.has(entry))
  }

  function whatFailed(error: unknown, entries: readonly Entry[]): Entry[] {
    const names = toProtocolErrors(error)
    if (names.length === 0) throw error
    if (names.some((name) => refusals.has(name))) {
      throw new AppError('internal', 'MESSAGE_REFUSED', `Kafka refused it: ${names.join(', ')}`, {
        cause: error,
      })
    }
    if (names.some((name) => lostIdentity.has(name))) identity = undefined
    type Parts = { name: string; partitionResponses: { index: number; errorCode: number }[] }
    const { responses } = toResponse<{ responses: Parts[] }>(error)
    const failed = new Set<string>()
    for (const { name: topic, partitionResponses } of responses) {
      for (const { index: partition, errorCode } of partitionResponses) {
        // 46: the broker has it already, from a try whose answer was lost.
        if (errorCode !== 0 && errorCode !== 46) failed.add(toPlace({ topic, partition }))
      }
    }
    return entries.filter((entry) => failed.has(toPlace(entry)))
  }

  async function deliver(batch: readonly Entry[]): Promise<void> {
    const endsAt = Math.min(...batch.map(({ job }) => job.endsAt))
    let left = [...batch]
    try {
      for (let failures = 1; ; failures += 1) {
        const remainingMs = endsAt - performance.now()
        if (remainingMs <= 0) throw messagesUnavailable(new Error('The time is over.'))
        try {
          const unsent = await link.use((client) => produce(client, left), remainingMs)
          settle(left, unsent)
          left = unsent
          if (left.length === 0) return
        } catch (error) {
          const isTransient =
            (error instanceof AppError && error.kind === 'unavailable') ||
            toProtocolErrors(error).length > 0
          if (!isTransient || performance.now() >= endsAt) throw error
        }
        await pause(Math.min(jitteredDelayMs(backoff, failures), remainingMs))
      }
    } catch (error) {
      if (identity) {
        identity = { ...identity, epoch: identity.epoch + 1, sequences: new Map() }
      }
      giveUp(left, error instanceof AppError ? error : messagesUnavailable(error))
    }
  }

  /** What waits behind in the same call must not overtake: its caller publishes all of it again. */
  function giveUp(batch: readonly Entry[], error: AppError): void {
    const jobs = new Set(batch.map(({ job }) => job))
    for (const job of jobs) job.reject(error)
    const rest = waiting.filter(({ job }) => !jobs.has(job))
    waiting.splice(0, waiting.length, ...rest)
  }

  function settle(batch: readonly Entry[], unsent: readonly Entry[]): void {
    const open = new Set(unsent)
    for (const entry of batch) {
      if (open.has(entry)) continue
      entry.job.left -= 1
      if (entry.job.left === 0) entry.job.resolve()
    }
  }

  async function sendAll(): Promise<void> {
    while (waiting.length > 0) await deliver(takeBatch())
    sending = undefined
  }

  async function toEntries(records: readonly Outbound[], job: Job): Promise<Entry[]> {
    const counts = new Map<string, number>()
    for (const topic of new Set(records.map((record) => record.topic))) {
      counts.set(topic, await registry.ensure(topic))
    }
    return records.map(({ topic, contentType, ...texts }) => {
      const key = Buffer.from(texts.key)
      const value = Buffer.from(texts.value)
      const headers = new Map([[Buffer.from('content-type'), Buffer.from(contentType)]])
      if (value.length > longestRecordBytes) {
        throw new AppError('too-large', 'MESSAGE_TOO_LARGE', 'A message is too large for Kafka.')
      }
      const partition = (murmur2(key) & 0x7fffffff) % (counts.get(topic) ?? 1)
      return { topic, partition, key, value, headers, job }
    })
  }

  async function send(records: readonly Outbound[]): Promise<void> {
    if (records.length === 0) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const endsAt = performance.now() + publishDeadlineMs
    const job: Job = { left: records.length, endsAt, resolve, reject }
    const entries = await withDeadline(toEntries(records, job), publishDeadlineMs)
    waiting.push(...entries)
    sending ??= sendAll()
    await promise
  }

  return {
    send,
    publish: (items) => send(items.map(({ address, message }) => toRecord(address.name, message))),
    async stop() {
      await sending
      await link.close()
    },
  }
}
