import type { AsyncMessage, Channel } from 'rabbitmq-client'
import type { Logger } from '../../logging.ts'
import { createLoop, jitteredDelayMs } from '../../loop.ts'
import type { DeadLetter } from '../../messaging.ts'
import {
  type DeadLetterEntry,
  type DeadLetterLog,
  parseDeadLetterEntry,
} from '../dead-letter-index.ts'
import { withDeadline } from '../unavailable.ts'
import { answerDeadlineMs, type Link } from './link.ts'
import { readDelivery, toDate, toStableId } from './message.ts'
import type { ConfirmedPublisher } from './publisher.ts'
import { deliveryLimit, type Names, type Topology } from './topology.ts'

// Not `application/json`: the client would parse that on its own.
const contentType = 'application/vnd.halles.dead-letter+json'
// Entries on their way at once: some hundred kilobytes, and no wait for each of them.
const readAhead = 200
const backoff = { baseMs: 200, maxMs: 5_000 }
const lookAgainMs = 60_000

/** The log of dead letters in a stream of the broker: appended to, and read without consuming. */
export function createRabbitmqLetterLog(options: {
  link: Link
  topology: Topology
  publisher: ConfirmedPublisher
  names: Names
  logger: Logger
}): DeadLetterLog {
  const { link, topology, publisher, names, logger } = options
  return {
    async append(entry) {
      await topology.ensureDeadLetters()
      const messageId = entry.kind === 'letter' ? entry.letter.id : entry.id
      const body = Buffer.from(JSON.stringify(entry))
      const target = { exchange: names.deadLetters, routingKey: names.deadLetters }
      await publisher.send([{ ...target, messageId, type: entry.kind, contentType, body }])
    },
    async follow(onEntry, onRestart) {
      function onDelivery(delivery: AsyncMessage): void {
        const entry = readEntry(delivery)
        if (entry) onEntry(entry)
        else logger.warn({ messageId: delivery.messageId }, 'there is junk among the dead letters')
      }
      const follower = createFollower({ link, topology, names, logger, onDelivery, onRestart })
      await follower.start()
      return follower
    },
  }
}

type FollowerOptions = {
  link: Link
  topology: Topology
  names: Names
  logger: Logger
  onDelivery(delivery: AsyncMessage): void
  onRestart(): void
}

function createFollower(options: FollowerOptions) {
  const { link, topology, names, logger, onDelivery, onRestart } = options
  let channel: Channel | undefined
  let failures = 0

  async function read(): Promise<void> {
    await topology.ensureDeadLetters()
    const open = await link.open()
    open.on('close', () => {
      if (channel === open) channel = undefined
      // Whatever took the channel may have taken the stream.
      topology.forget()
      loop.wake()
    })
    open.on('basic.cancel', () => void open.close())
    const limited = open.basicQos({ prefetchCount: readAhead })
    const source = { queue: names.deadLetters, arguments: { 'x-stream-offset': 'first' } }
    const consumed = open.basicConsume(source, (delivery) => {
      if (!open.active) return
      onDelivery(delivery)
      // Tells the broker to send more; a stream keeps what it has.
      open.basicAck({ deliveryTag: delivery.deliveryTag })
    })
    try {
      await withDeadline(Promise.all([limited, consumed]), answerDeadlineMs)
    } catch (error) {
      void open.close()
      throw error
    }
    channel = open
  }

  const loop = createLoop({
    name: 'dead letters',
    logger,
    backoff,
    async round() {
      if (channel?.active) return lookAgainMs
      try {
        onRestart()
        await read()
        failures = 0
        return lookAgainMs
      } catch (error) {
        failures += 1
        if (failures === 1) logger.warn({ err: error }, 'dead letters cannot be read')
        return jitteredDelayMs(backoff, failures)
      }
    },
  })
  link.onUp(loop.wake)

  return {
    /** Throws when the first attempt fails; from then on it sees to itself. */
    async start() {
      await read()
      loop.start()
    },
    async stop() {
      await loop.stop()
      if (channel) await withDeadline(channel.close(), answerDeadlineMs)
    },
  }
}

function readEntry(delivery: AsyncMessage): DeadLetterEntry | undefined {
  if (delivery.contentType === contentType && Buffer.isBuffer(delivery.body)) {
    return parseDeadLetterEntry(delivery.body.toString())
  }
  return readBrokersLetter(delivery)
}

/** A message that the broker gave up by itself: a letter is made of what it left on it. */
function readBrokersLetter(delivery: AsyncMessage): DeadLetterEntry | undefined {
  const headers: Record<string, unknown> = delivery.headers ?? {}
  const queue = headers['x-first-death-queue']
  const why = headers['x-first-death-reason']
  if (typeof queue !== 'string' || typeof why !== 'string') return undefined
  const { message, tries } = readDelivery(delivery, queue)
  const failedAt = timeOfDeath(headers) ?? toDate(delivery.timestamp)
  const isLimit = why === 'delivery_limit'
  const letter: DeadLetter = {
    // The same for every reader: what one of them resolves is resolved for all.
    id: toStableId(failedAt, `${message.id} ${headers['x-stream-offset']}`),
    address: { kind: 'queue', name: queue },
    // A queue is named after the service that consumes it: `auth.set-credentials`.
    service: queue.split('.')[0] ?? queue,
    message,
    attempts: tries.count + (isLimit ? deliveryLimit : 0),
    code: isLimit ? 'DELIVERY_LIMIT' : 'REJECTED_BY_BROKER',
    reason: isLimit
      ? 'It was delivered too often without an answer.'
      : `The broker gave it up: ${why.slice(0, 100)}.`,
    failedAt: failedAt.toISOString(),
    history: tries.history,
  }
  return { kind: 'letter', letter }
}

/** In `x-death`, which brokers before 3.13 do not keep in a stream. */
function timeOfDeath(headers: Record<string, unknown>): Date | undefined {
  const [death] = Array.isArray(headers['x-death']) ? headers['x-death'] : []
  const time = (death as { time?: unknown } | undefined)?.time
  if (time instanceof Date) return time
  return typeof time === 'number' ? toDate(time) : undefined
}
