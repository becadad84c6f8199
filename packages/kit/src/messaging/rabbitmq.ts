import type { Logger } from '../logging.ts'
import type { Queues } from '../messaging.ts'
import type { Metrics } from '../metrics.ts'

export type RabbitmqOptions = {
  /** `amqp://user:password@host:port/vhost`, or `amqps:` for TLS. */
  url: string
  service: string
  instance: string
  logger: Logger
  /** Gets the histogram `message_handling_seconds`. */
  metrics?: Metrics
  /** How long `stop` waits for messages in hand before they are given back. Default 10 s. */
  drainMs?: number
}

/** The adapter of the messaging port for queues on RabbitMQ. */
export function createRabbitmqQueues(_options: RabbitmqOptions): Queues {
  throw new Error('RabbitMQ is not supported yet.')
}
