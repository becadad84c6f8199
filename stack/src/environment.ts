import { canSharePort, type Instance, type Platform } from './topology.ts'

/** Where an instance listens, and whom it believes. */
export function placeOf(
  { part, ports }: Instance,
  { host, port, edge }: Platform,
): Record<string, string> {
  const place = { HOST: '127.0.0.1', PORT: String(ports.http) }
  if (part.name !== 'gateway') return place
  if (edge === 'haproxy') return { ...place, TRUSTED_PROXIES: '127.0.0.1' }
  // One alone shares its port too: another one is started beside it, or while it is restarted.
  return { HOST: host, PORT: String(port), REUSE_PORT: String(canSharePort) }
}

/** How a gateway finds the others, and the stack that it is a part of, for who looks at the console. */
export function consoleOf(
  part: string,
  context: { listOf?(part: string, kind: 'metrics'): string; control?: string },
): Record<string, string> {
  if (part !== 'gateway') return {}
  const others = context.listOf?.(part, 'metrics')
  return {
    ...(others === undefined ? {} : { GATEWAY_METRICS_URLS: others }),
    ...(context.control === undefined ? {} : { STACK_CONTROL: context.control }),
  }
}

/** Where a service finds its messages. */
export function messagingOf(
  { messaging }: Platform,
  urlOf: (database: string, role: string) => string,
): Record<string, string> {
  const { amqpUrl, kafkaBrokers } = messaging?.addresses ?? {}
  const isWhole = amqpUrl !== undefined && kafkaBrokers !== undefined
  return {
    ...(isWhole ? {} : { MESSAGES_URL: urlOf('messages', 'messages') }),
    ...(amqpUrl === undefined ? {} : { AMQP_URL: amqpUrl }),
    ...(kafkaBrokers === undefined
      ? {}
      : { KAFKA_BROKERS: kafkaBrokers, ...messaging?.kafkaAccess }),
  }
}

/** What is set for one part from outside. */
export function overridesOf(
  part: string,
  overrides: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const prefix = `HALLES_${part.toUpperCase().replaceAll('-', '_')}_`
  return Object.fromEntries(
    Object.entries(overrides).flatMap(([name, value]) =>
      name.startsWith(prefix) && value !== undefined ? [[name.slice(prefix.length), value]] : [],
    ),
  )
}
