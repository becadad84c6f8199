import { toLimits } from '../delivery.ts'
import type { Logger } from '../logging.ts'
import type { DeadLetter, Message, Outgoing, Queues } from '../messaging.ts'
import type { Metrics } from '../metrics.ts'
import type { Tracer } from '../spans.ts'
import { createDeadLetterIndex } from './dead-letter-index.ts'
import { createHandlerMeter } from './meter.ts'
import { createRabbitmqConsumer, type RabbitmqConsumer } from './rabbitmq/consumer.ts'
import { createRabbitmqLetterLog } from './rabbitmq/letters.ts'
import { createLink } from './rabbitmq/link.ts'
import { type Tries, toParcel } from './rabbitmq/message.ts'
import { createConfirmedPublisher } from './rabbitmq/publisher.ts'
import { createTopology, toNames } from './rabbitmq/topology.ts'

export type RabbitmqOptions = {
  /** `amqp://user:password@host:port/vhost`, or `amqps:` for TLS. */
  url: string
  service: string
  instance: string
  logger: Logger
  /** Gets the histogram `message_handling_seconds`. */
  metrics?: Metrics
  /** Told of each try at a message. */
  tracer?: Tracer | undefined
  /** How long `stop` waits for messages in hand before they are given back. Default 10 s. */
  drainMs?: number
  /** How long a message waits here for its next try, instead of at the end of its queue. Default 5 min. */
  holdMs?: number
  /** A queue that brought nothing for as long is subscribed to anew. Default 1 min. */
  idleMs?: number
  /** Queues that `stats` tells of besides those that this process sends to or consumes. */
  queues?: readonly string[]
  /** Begins the names of the adapter's exchanges and of its stream. Default `halles`. */
  prefix?: string
}

// The broker closes a channel with a delivery that is older than 30 minutes, and its count of
// deliveries begins anew only with a new copy.
const longestHoldMs = 5 * 60_000
// Some calls a minute; how long a consumer can stay forgotten by its broker.
const longestIdleMs = 60_000

/**
 * The adapter of the messaging port for queues on RabbitMQ: quorum queues, confirmed publishing,
 * and a stream that keeps the dead letters. The client is loaded with the first connection.
 */
export function createRabbitmqQueues(options: RabbitmqOptions): Queues {
  const { url, service, instance, logger, drainMs = 10_000, prefix = 'halles' } = options
  const names = toNames(prefix)
  // Apart, because a broker that is short of memory stops reading from those who publish, and
  // acknowledgements have to go on.
  const sending = createLink({ url, name: `${service} ${instance} sends`, logger })
  const receiving = createLink({ url, name: `${service} ${instance} receives`, logger })
  const sendingTopology = createTopology({ link: sending, names, logger })
  const receivingTopology = createTopology({ link: receiving, names, logger })
  const confirmed = createConfirmedPublisher(sending, sendingTopology.forget)
  const giveUp = new AbortController()
  const consumers = new Set<RabbitmqConsumer>()
  const known = new Set(options.queues)
  const measured = createHandlerMeter(options.metrics, { ...options, system: 'rabbitmq' })
  let isStarted = false

  async function send(queue: string, message: Message, tries?: Tries): Promise<void> {
    await sendingTopology.ensureQueue(queue)
    const target = { exchange: names.commands, routingKey: queue }
    await confirmed.send([toParcel(message, target, tries)])
  }

  const log = createRabbitmqLetterLog({
    link: receiving,
    topology: sendingTopology,
    publisher: confirmed,
    names,
    logger,
  })
  const deadLetters = createDeadLetterIndex({
    log,
    redeliver: ({ address, message }) => send(address.name, message),
    logger,
  })
  const bury = (letter: DeadLetter) => log.append({ kind: 'letter', letter })

  return {
    publisher: {
      async publish(items: readonly Outgoing[]) {
        const queues = new Set(items.map(({ address }) => address.name))
        for (const queue of queues) {
          known.add(queue)
          await sendingTopology.ensureQueue(queue)
        }
        await confirmed.send(
          items.map(({ address, message }) =>
            toParcel(message, { exchange: names.commands, routingKey: address.name }),
          ),
        )
      },
    },
    consumeQueue({ queue, prefetch = 10, ...rest }) {
      known.add(queue)
      const consumer = createRabbitmqConsumer({
        link: receiving,
        topology: receivingTopology,
        logger,
        service,
        queue,
        prefetch,
        handler: measured(queue, rest.handler),
        limits: toLimits(rest),
        givingUp: giveUp.signal,
        holdMs: options.holdMs ?? longestHoldMs,
        idleMs: options.idleMs ?? longestIdleMs,
        bury,
        moveToEnd: (message, tries) => send(queue, message, tries),
      })
      consumers.add(consumer)
      if (isStarted) consumer.start()
      return {
        ready: consumer.ready,
        async stop() {
          consumers.delete(consumer)
          await consumer.stop()
        },
      }
    },
    deadLetters,
    async stats() {
      const depths = await Promise.all(
        [...known].sort().map(async (queue) => {
          const depth = await receivingTopology.depthOf(queue)
          return depth === undefined ? [] : [{ queue, depth }]
        }),
      )
      return { queues: depths.flat(), topics: [], deadLetters: await deadLetters.count() }
    },
    async start() {
      isStarted = true
      for (const consumer of consumers) consumer.start()
    },
    async stop() {
      const timer = setTimeout(() => giveUp.abort(new Error('The process is stopping.')), drainMs)
      await Promise.all([...consumers].map((consumer) => consumer.stop()))
      clearTimeout(timer)
      await deadLetters.stop()
      try {
        await confirmed.close()
      } catch (error) {
        logger.warn({ err: error }, 'the channel for publishing was not closed in order')
      }
      await Promise.all([receiving.close(), sending.close()])
    },
  }
}
