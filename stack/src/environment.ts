import { canSharePort, type Instance, type Platform } from './topology.ts'

/** Where an instance listens, and whom it believes. */
export function placeOf(
  { part, ports }: Instance,
  { host, port, edge }: Platform,
): Record<string, string> {
  const place = { HOST: '127.0.0.1', PORT: String(ports.http) }
  if (part.name !== 'gateway') return place
  // The balancer and the web server tell whom they speak for.
  const believed = { TRUSTED_PROXIES: '127.0.0.1' }
  if (edge === 'haproxy') return { ...place, ...believed }
  // One alone shares its port too: another one is started beside it, or while it is restarted.
  return { HOST: host, PORT: String(port), REUSE_PORT: String(canSharePort), ...believed }
}

/** Where the web server finds the public API. */
export function gatewaysOf(
  part: string,
  { edge, port }: Platform,
  list: () => string,
): Record<string, string> {
  if (part !== 'web') return {}
  // The gateways themselves: a balancer would put its own address in place of the visitors'.
  return { API_URLS: edge === 'haproxy' ? list() : `http://127.0.0.1:${port}` }
}

/** On a machine of one's own `grpcurl` may look at the services; elsewhere that is a decision. */
export function grpcOf(
  port: number | undefined,
  { control }: { control?: string },
): Record<string, string> {
  if (port === undefined) return {}
  const reflection = control === undefined ? {} : { GRPC_REFLECTION: 'true' }
  return { GRPC_PORT: String(port), ...reflection }
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
function messagingOf(
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

// A name or an instance of our own environment would be everybody's, so these alone.
const telemetry = [
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_HEADERS',
  'OTEL_EXPORTER_OTLP_TIMEOUT',
  'OTEL_TRACES_SAMPLER_ARG',
  'OTEL_RESOURCE_ATTRIBUTES',
] as const

/** Where services send their spans, by OpenTelemetry's own variables. */
function telemetryOf({ overrides }: Pick<Platform, 'overrides'>): Record<string, string> {
  return Object.fromEntries(
    telemetry.flatMap((name) => {
      const value = overrides[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

/** What every service shares with the others. */
export function sharedOf(
  platform: Platform,
  urlOf: (database: string, role: string) => string,
): Record<string, string> {
  return {
    ...messagingOf(platform, urlOf),
    ...telemetryOf(platform),
    INTERNAL_SECRET: platform.secrets.internalSecret,
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
