import { createHash } from 'node:crypto'
import type { AsyncMessage, Envelope } from 'rabbitmq-client'
import { uuidv7 } from '../../ids.ts'
import type { Failure, Message } from '../../messaging.ts'
import type { Parcel } from './publisher.ts'

/** What is known of earlier tries at a message; travels in its headers when it is moved. */
export type Tries = {
  /** Tries that ended, however. */
  count: number
  history: readonly Failure[]
  /** Milliseconds since the epoch; absent while nothing failed. */
  failingSince?: number | undefined
  /** Not to be tried before; milliseconds since the epoch. */
  retryAt?: number | undefined
}

/** A message as it was delivered: one of ours, or something else that somebody put there. */
export type Incoming = { message: Message; isOurs: boolean; tries: Tries; deliveries: number }

// CloudEvents 1.0, AMQP binding, structured mode.
const contentType = 'application/cloudevents+json; charset=utf-8'
const triesHeader = 'halles-tries'

/** Shapes a message for its queue: a structured CloudEvent, readable without us. */
export function toParcel(
  message: Message,
  { exchange, routingKey }: { exchange: string; routingKey: string },
  tries?: Tries,
): Parcel {
  return {
    exchange,
    routingKey,
    messageId: message.id,
    type: message.type,
    contentType,
    timestamp: Math.floor(Date.now() / 1_000),
    headers: {
      ...(message.traceparent !== undefined && { traceparent: message.traceparent }),
      ...(tries && { [triesHeader]: JSON.stringify(tries) }),
    },
    body: Buffer.from(JSON.stringify(message)),
  }
}

/** Reads a delivery. Never throws: what is no message of ours becomes one that says so. */
export function readDelivery(delivery: AsyncMessage, queue: string): Incoming {
  const headers: Record<string, unknown> = delivery.headers ?? {}
  const deliveries = headers['x-delivery-count']
  const message = readMessage(delivery.body)
  return {
    message: message ?? describeForeign(delivery, queue),
    isOurs: message !== undefined,
    tries: readTries(headers[triesHeader]),
    deliveries: typeof deliveries === 'number' ? deliveries : 0,
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const requiredTexts = ['id', 'source', 'type', 'subject', 'time', 'partitionkey'] as const

/** The message in the body; undefined when there is none. */
export function readMessage(body: unknown): Message | undefined {
  // The client has parsed a body that calls itself JSON.
  const value = Buffer.isBuffer(body) ? parseJson(body.toString()) : body
  if (typeof value !== 'object' || value === null) return undefined
  const fields = value as Record<string, unknown>
  const isMessage =
    fields.specversion === '1.0' &&
    'data' in fields &&
    requiredTexts.every((name) => typeof fields[name] === 'string')
  return isMessage ? (value as Message) : undefined
}

function readTries(header: unknown): Tries {
  const value = typeof header === 'string' ? parseJson(header) : undefined
  const tries = (value ?? {}) as Partial<Tries>
  const toTime = (time: unknown) => (typeof time === 'number' ? time : undefined)
  return {
    count: toTime(tries.count) ?? 0,
    history: Array.isArray(tries.history) ? tries.history : [],
    failingSince: toTime(tries.failingSince),
    retryAt: toTime(tries.retryAt),
  }
}

// Enough to see what it is; a letter with a whole film in it helps nobody.
const longestForeignBody = 8_192

function describeForeign(delivery: AsyncMessage, queue: string): Message {
  const { body, messageId, type } = delivery
  const bytes = Buffer.isBuffer(body) ? body.subarray(0, longestForeignBody) : undefined
  // The client has read what calls itself text or JSON.
  const read = typeof body === 'string' ? body : (JSON.stringify(body) ?? '')
  const text = bytes?.toString() ?? read.slice(0, longestForeignBody)
  const at = toDate(delivery.timestamp)
  return {
    specversion: '1.0',
    id: toStableId(at, `${messageId ?? ''} ${text}`),
    source: '/unknown',
    type: 'unknown',
    subject: queue,
    time: at.toISOString(),
    datacontenttype: 'application/json',
    partitionkey: queue,
    data: {
      body: text,
      contentType: delivery.contentType?.slice(0, 100),
      messageId: messageId?.slice(0, 100),
      type: type?.slice(0, 100),
    },
  }
}

/** AMQP counts in seconds; a sender may leave the time out or write nonsense. */
export function toDate(seconds: unknown): Date {
  const date = new Date(typeof seconds === 'number' ? seconds * 1_000 : Number.NaN)
  return Number.isNaN(date.getTime()) || date.getTime() < 0 ? new Date(0) : date
}

/** A UUIDv7 that is the same whenever it is made of the same: time, then a hash for randomness. */
export function toStableId(at: Date, seed: string): string {
  const hash = createHash('sha256').update(seed).digest('hex')
  const variant = '89ab'.charAt(Number.parseInt(hash.charAt(3), 16) % 4)
  const [first, second] = uuidv7(at.getTime()).split('-')
  return `${first}-${second}-7${hash.slice(0, 3)}-${variant}${hash.slice(4, 7)}-${hash.slice(7, 19)}`
}

/** The envelope's fields that a {@link Parcel} of JSON needs. */
export function toJsonParcel(
  value: unknown,
  envelope: Envelope & { exchange: string; routingKey: string; messageId: string },
): Parcel {
  return { ...envelope, body: Buffer.from(JSON.stringify(value)) }
}
