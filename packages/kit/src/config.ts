import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { type AddressKind, parseAddress } from './addresses.ts'
import { rotatingSecret } from './rotating-secrets.ts'

/** One environment variable: its name and how its text becomes a value. */
export type Field<T> = {
  readonly variable: string
  /** Returns the value, or throws an Error whose message never repeats the text. */
  readonly parse: (text: string) => T
  /** Present when the variable may be missing. */
  readonly fallback?: { readonly value: T }
}

/** Properties of the configuration, each bound to a variable. */
export type ConfigSchema = Readonly<Record<string, Field<unknown>>>

/** The frozen configuration that {@link loadConfig} returns for a schema. */
export type ConfigOf<S extends ConfigSchema> = {
  readonly [K in keyof S]: S[K] extends Field<infer T> ? T : never
}

export type ConfigFault = { variable: string; detail: string }

/** All faults of a configuration together; its message names every variable, never a value. */
export class ConfigError extends Error {
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[]) {
    const lines = faults.map(({ variable, detail }) => `  ${variable} ${detail}`)
    super(`The configuration cannot be used:\n${lines.join('\n')}`)
    this.name = 'ConfigError'
    this.faults = faults
  }
}

/**
 * Parses every variable of the schema once and freezes the result. For each NAME the file named by
 * NAME_FILE is read when NAME itself is missing (mounted secrets), 64 KiB at most and without the
 * white space around its text; an empty value counts as missing.
 * @throws ConfigError listing all faults by variable name.
 */
export function loadConfig<S extends ConfigSchema>(
  schema: S,
  env: NodeJS.ProcessEnv = process.env,
): ConfigOf<S> {
  const faults: ConfigFault[] = []
  const values: Record<string, unknown> = {}
  for (const [property, field] of Object.entries(schema)) {
    try {
      values[property] = readField(field, env)
    } catch (error) {
      const detail = error instanceof Error ? error.message : 'cannot be read.'
      faults.push({ variable: field.variable, detail })
    }
  }
  if (faults.length > 0) throw new ConfigError(faults)
  return Object.freeze(values) as ConfigOf<S>
}

function readField(field: Field<unknown>, env: NodeJS.ProcessEnv): unknown {
  const direct = env[field.variable]
  const file = env[`${field.variable}_FILE`]
  if (direct && file) throw new Error(`and ${field.variable}_FILE are both set; choose one.`)
  const text = direct || (file ? readSecretFile(file, `${field.variable}_FILE`) : '')
  if (text !== '') return field.parse(text)
  if (field.fallback) return field.fallback.value
  throw new Error('is missing.')
}

// A chain of certificates has some KB; more is no secret but another file.
const maxFileBytes = 65_536

function readSecretFile(path: string, variable: string): string {
  const refuse = (why: string, cause?: unknown) =>
    new Error(`cannot be read from the file named by ${variable}${why}.`, { cause })
  let file: number
  try {
    // A pipe that nobody writes to would be waited for.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw refuse('', cause)
  }
  try {
    if (!fstatSync(file).isFile()) throw refuse(', which is no plain file')
    const buffer = Buffer.alloc(maxFileBytes + 1)
    const length = readSync(file, buffer)
    if (length > maxFileBytes) throw refuse(`, which is longer than ${maxFileBytes} bytes`)
    return buffer.toString('utf8', 0, length).trim()
  } finally {
    closeSync(file)
  }
}

function withDefault<T>(field: Field<T>, options: { default?: T | undefined }): Field<T> {
  return options.default === undefined ? field : { ...field, fallback: { value: options.default } }
}

/** Any text, or one of the given words. */
export function text<const T extends string = string>(
  variable: string,
  options: { default?: NoInfer<T>; oneOf?: readonly T[] } = {},
): Field<T> {
  const { oneOf } = options
  const parse = (value: string): T => {
    if (oneOf && !oneOf.some((word) => word === value)) {
      throw new Error(`must be one of ${oneOf.join(', ')}.`)
    }
    return value as T
  }
  return withDefault<T>({ variable, parse }, options)
}

/** A whole number within bounds (inclusive). */
export function integer(
  variable: string,
  options: { default?: number; min?: number; max?: number } = {},
): Field<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options
  const parse = (value: string) => {
    const number = /^-?\d{1,16}$/.test(value) ? Number(value) : Number.NaN
    if (!(number >= min && number <= max)) {
      throw new Error(`must be a whole number from ${min} to ${max}.`)
    }
    return number
  }
  return withDefault({ variable, parse }, options)
}

/** A TCP port; 0 lets the system choose. */
export function port(variable: string, options: { default?: number } = {}): Field<number> {
  return integer(variable, { ...options, min: 0, max: 65_535 })
}

/** `true` or `false` (also `1` and `0`). */
export function flag(variable: string, options: { default?: boolean } = {}): Field<boolean> {
  const parse = (value: string) => {
    if (value === 'true' || value === '1') return true
    if (value === 'false' || value === '0') return false
    throw new Error('must be true or false.')
  }
  return withDefault({ variable, parse }, options)
}

/** An absolute URL, kept as text; `protocols` such as `['postgres:']` narrow it. */
export function url(
  variable: string,
  options: { default?: string; protocols?: readonly string[] } = {},
): Field<string> {
  const parse = (value: string) => {
    const parsed = URL.parse(value)
    if (!parsed) throw new Error('must be an absolute URL.')
    if (options.protocols && !options.protocols.includes(parsed.protocol)) {
      throw new Error(`must be a URL that starts with ${options.protocols.join(' or ')}//.`)
    }
    return value
  }
  return withDefault({ variable, parse }, options)
}

/** A secret: never has a default and has a least length in characters. */
export function secret(variable: string, options: { minLength?: number } = {}): Field<string> {
  const { minLength = 32 } = options
  const parse = (value: string) => {
    if (value.length < minLength) throw new Error(`must have at least ${minLength} characters.`)
    return value
  }
  return { variable, parse }
}

/** Comma-separated values, blanks around them dropped. */
export function list(
  variable: string,
  options: { default?: readonly string[] } = {},
): Field<readonly string[]> {
  const parse = (value: string): readonly string[] =>
    Object.freeze(
      value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    )
  return withDefault({ variable, parse }, options)
}

/** Where the instances of a service are: items as `parseAddress` reads them, comma-separated. */
export function addressList(
  variable: string,
  kind: AddressKind,
  options: { default?: readonly string[] } = {},
): Field<readonly string[]> {
  const items = list(variable, options)
  const parse = (value: string): readonly string[] => {
    const addresses = items.parse(value)
    if (addresses.length === 0) throw new Error('must list at least one address.')
    for (const address of addresses) parseAddress(address, kind)
    return addresses
  }
  return { ...items, parse }
}

/** Where auth publishes its key set. */
export const keySetPath = '/.well-known/jwks.json'

/** Where auth is: addresses as in {@link addressList}, each with or without the path of the key set. */
function keySetList(variable: string): Field<readonly string[]> {
  const items = addressList(variable, 'http', { default: [] })
  const bare = (item: string) => {
    const text = item.trim()
    return text.endsWith(keySetPath) ? text.slice(0, -keySetPath.length) : text
  }
  return { ...items, parse: (value) => items.parse(value.split(',').map(bare).join(',')) }
}

/** A number from 0 to 1. */
function share(variable: string, options: { default?: number } = {}): Field<number> {
  const parse = (value: string) => {
    const number = /^\d*\.?\d+$/.test(value) ? Number(value) : Number.NaN
    if (!(number >= 0 && number <= 1)) throw new Error('must be a number from 0 to 1.')
    return number
  }
  return withDefault({ variable, parse }, options)
}

/** `name=value` items with percent-encoded values, comma-separated, as OpenTelemetry has them. */
function pairs(variable: string): Field<Readonly<Record<string, string>>> {
  const items = list(variable)
  const parse = (value: string) => Object.freeze(Object.fromEntries(items.parse(value).map(toPair)))
  return { variable, parse, fallback: { value: {} } }
}

function toPair(item: string): [string, string] {
  const at = item.indexOf('=')
  const isEncoded = !/%(?![0-9a-fA-F]{2})/.test(item)
  if (at < 1 || !isEncoded) throw new Error('must be name=value items, separated by commas.')
  return [item.slice(0, at).trim(), decodeURIComponent(item.slice(at + 1).trim())]
}

/** Makes a field optional: undefined when the variable is missing. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return { ...field, fallback: { value: undefined } }
}

/** The variables that every service has; spread them into the service's own schema. */
export const serviceConfig = {
  host: text('HOST', { default: '127.0.0.1' }),
  port: port('PORT', { default: 0 }),
  grpcPort: optional(port('GRPC_PORT')),
  /** Whether gRPC tells holders of the internal secret what it serves, for `grpcurl` and its like. */
  grpcReflection: flag('GRPC_REFLECTION', { default: false }),
  metricsPort: port('METRICS_PORT', { default: 0 }),
  logLevel: text('LOG_LEVEL', {
    default: 'info',
    oneOf: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
  }),
  instanceId: text('INSTANCE_ID', { default: `local-${process.pid}` }),
  /**
   * How long no request may arrive before a server that stops closes: more than the pause between
   * two looks at its readiness, which our own clients take every half second. 0 for at once.
   */
  drainQuietMs: integer('DRAIN_QUIET_MS', { default: 750, max: 3_000 }),
  databaseUrl: url('DATABASE_URL', { protocols: ['postgres:', 'postgresql:'] }),
  /** The embedded broker; needed for what neither of the next two takes over. */
  messagesUrl: optional(url('MESSAGES_URL', { protocols: ['postgres:', 'postgresql:'] })),
  amqpUrl: optional(url('AMQP_URL', { protocols: ['amqp:', 'amqps:'] })),
  kafkaBrokers: list('KAFKA_BROKERS', { default: [] }),
  kafkaUsername: optional(text('KAFKA_USERNAME')),
  kafkaPassword: optional(secret('KAFKA_PASSWORD', { minLength: 1 })),
  kafkaSaslMechanism: text('KAFKA_SASL_MECHANISM', {
    default: 'SCRAM-SHA-512',
    oneOf: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'],
  }),
  kafkaTls: flag('KAFKA_TLS', { default: false }),
  /** Certificates in PEM of who signed the brokers' certificate; else the system's. */
  kafkaTlsCa: optional(text('KAFKA_TLS_CA')),
  internalSecret: rotatingSecret('INTERNAL_SECRET'),
  jwksUrls: keySetList('JWKS_URLS'),
  /** Where spans are sent by OTLP over HTTP; without it none are made. */
  otlpEndpoint: optional(url('OTEL_EXPORTER_OTLP_ENDPOINT', { protocols: ['http:', 'https:'] })),
  otlpHeaders: pairs('OTEL_EXPORTER_OTLP_HEADERS'),
  otlpTimeoutMs: integer('OTEL_EXPORTER_OTLP_TIMEOUT', { default: 10_000, min: 10, max: 60_000 }),
  /** The share of the traces that begin here which is sampled; a caller's word counts before it. */
  traceRatio: share('OTEL_TRACES_SAMPLER_ARG', { default: 1 }),
  resourceAttributes: pairs('OTEL_RESOURCE_ATTRIBUTES'),
} as const satisfies ConfigSchema

// libuv runs hashes, look-ups of names and the file system on the same few threads.
const poolThreads = Number(process.env.UV_THREADPOOL_SIZE) || 4
// One is left, or a new connection to the database would wait for hashes to look up its name.
const maxThreads = Math.max(1, poolThreads - 1)

/** The variables of a service that hashes passwords; spread them into its schema. */
export const hashingConfig = {
  /** Hashes at once; more than cores only makes each slower. */
  hashingConcurrency: integer('HASHING_CONCURRENCY', {
    default: Math.min(availableParallelism(), maxThreads),
    min: 1,
    max: maxThreads,
  }),
  /**
   * Requests that may wait for a hash. Half of what a gateway has under way at one instance (128), so
   * that those who wait never take the places of what needs no hash, such as a refresh.
   */
  hashingQueueLimit: integer('HASHING_QUEUE_LIMIT', { default: 64, min: 1, max: 10_000 }),
  /** How long a request may wait for its hash: a person takes more for a shop that is broken. */
  hashingMaxWaitMs: integer('HASHING_MAX_WAIT_MS', { default: 2_000, min: 10, max: 30_000 }),
} as const satisfies ConfigSchema
