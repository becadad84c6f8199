import type { Channel } from 'rabbitmq-client'
import { AppError } from '../../errors.ts'
import type { Logger } from '../../logging.ts'
import { messagesUnavailable } from '../unavailable.ts'
import { amqpCode, type Link, onChannel } from './link.ts'

/** What the adapter calls its own things on the broker. */
export type Names = {
  /** The direct exchange by which commands reach their queues. */
  commands: string
  /** The exchange, and the stream behind it, to which dead letters go. */
  deadLetters: string
}

export type Topology = {
  /** Makes sure that the queue is there and bound. Throws `MESSAGES_UNAVAILABLE`. */
  ensureQueue(queue: string): Promise<void>
  ensureDeadLetters(): Promise<void>
  /** What was taken for granted is looked at again: the queue, or everything. */
  forget(queue?: string): void
  /** Messages that wait; undefined when there is no such queue. */
  depthOf(queue: string): Promise<number | undefined>
}

export function toNames(prefix: string): Names {
  return { commands: `${prefix}.commands`, deadLetters: `${prefix}.dead-letters` }
}

// Only for a consumer that dies before it can decide: the adapter's own limit is far lower.
export const deliveryLimit = 50
// A command is a kilobyte or two: half a million of them, days of an outage of their consumer.
// Beyond, the broker refuses and the senders' outboxes keep the rest, instead of a full disk.
const maxQueueBytes = 1_000_000_000
// Dead letters are rare and large: hundreds of thousands; the oldest go a segment at a time.
const maxStreamBytes = 1_000_000_000
const streamSegmentBytes = 50_000_000

const streamArguments = {
  'x-queue-type': 'stream',
  'x-max-length-bytes': maxStreamBytes,
  'x-stream-max-segment-size-bytes': streamSegmentBytes,
}

function queueArguments(names: Names) {
  return {
    'x-queue-type': 'quorum',
    'x-delivery-limit': deliveryLimit,
    'x-dead-letter-exchange': names.deadLetters,
    // Lost to a broker that fails in between otherwise; asks for the overflow below.
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
    'x-max-length-bytes': maxQueueBytes,
  }
}

/** Declares exchanges and queues: the same arguments from whoever comes first, sender or receiver. */
export function createTopology(options: { link: Link; names: Names; logger: Logger }): Topology {
  const { link, names, logger } = options
  const ensured = new Map<string, Promise<void>>()
  const warned = new Set<string>()

  /** What is there with other arguments, by an operator's hand, is his decision: used as it is. */
  async function declare(
    name: string,
    call: (channel: Channel, passive: boolean) => Promise<unknown>,
  ): Promise<void> {
    try {
      await onChannel(link, (channel) => call(channel, false))
    } catch (error) {
      if (amqpCode(error) !== 'PRECONDITION_FAILED') throw error
      await onChannel(link, (channel) => call(channel, true))
      if (warned.has(name)) return
      warned.add(name)
      logger.warn({ err: error, name }, 'a queue or exchange is not as it would be declared')
    }
  }

  function declareExchange(exchange: string, type: string): Promise<void> {
    return declare(exchange, (channel, passive) =>
      channel.exchangeDeclare({ exchange, type, durable: true, passive }),
    )
  }

  async function declareQueue(queue: string, args: object, exchange: string): Promise<void> {
    await declare(queue, (channel, passive) =>
      channel.queueDeclare({ queue, durable: true, passive, arguments: args }),
    )
    await onChannel(link, (channel) => channel.queueBind({ queue, exchange, routingKey: queue }))
  }

  /** Until it is forgotten: what fails is tried again by the next one who asks. */
  function once(key: string, work: () => Promise<void>): Promise<void> {
    const known = ensured.get(key)
    if (known) return known
    const doing = work().catch((error: unknown) => {
      if (ensured.get(key) === doing) ensured.delete(key)
      throw error instanceof AppError ? error : messagesUnavailable(error)
    })
    ensured.set(key, doing)
    return doing
  }

  function ensureDeadLetters(): Promise<void> {
    const { deadLetters } = names
    return once(`stream:${deadLetters}`, async () => {
      // Fanout: the broker sends here under the name of the queue that gave the message up.
      await declareExchange(deadLetters, 'fanout')
      await declareQueue(deadLetters, streamArguments, deadLetters)
    })
  }

  return {
    ensureDeadLetters,
    ensureQueue: (queue) =>
      once(`queue:${queue}`, async () => {
        await ensureDeadLetters()
        await once(`exchange:${names.commands}`, () => declareExchange(names.commands, 'direct'))
        await declareQueue(queue, queueArguments(names), names.commands)
      }),
    forget(queue) {
      if (queue === undefined) ensured.clear()
      else ensured.delete(`queue:${queue}`)
    },
    async depthOf(queue) {
      try {
        const answer = await onChannel(link, (channel) =>
          channel.queueDeclare({ queue, passive: true }),
        )
        return answer.messageCount
      } catch (error) {
        if (amqpCode(error) === 'NOT_FOUND') return undefined
        throw error instanceof AppError ? error : messagesUnavailable(error)
      }
    },
  }
}
