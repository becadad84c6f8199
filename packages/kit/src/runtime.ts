import { fileURLToPath } from 'node:url'
import manifest from '../package.json' with { type: 'json' }
import { keySetPath } from './config.ts'
import { createDatabase, type Database, migrate } from './database.ts'
import { createGrpcServer, type GrpcServer, type GrpcService } from './grpc-server.ts'
import { createHttpClient, type HttpCall, type HttpClientOptions } from './http-client.ts'
import type { Operations } from './http-contract.ts'
import { createHttpServer, type HttpServer, type HttpServerOptions } from './http-server.ts'
import { createInboxPruner, inboxSchema } from './inbox.ts'
import { createInternalCheck, internalAuthorization } from './internal-secret.ts'
import { createLifecycle, type Lifecycle } from './lifecycle.ts'
import { createLogger, type Logger } from './logging.ts'
import { type BrokerConfig, createMessaging } from './messaging/connect.ts'
import type { Messaging, TopicSettings } from './messaging.ts'
import { createMetrics, type Metrics, startMetricsServer } from './metrics.ts'
import type { KitSchema } from './migrations.ts'
import { outboxSchema } from './outbox.ts'
import { createPolicy, type Policy, type RoleState } from './policy.ts'
import { createRelay } from './relay.ts'
import { createSpanExport } from './span-export.ts'
import { createTracer, type Tracer } from './spans.ts'
import { createTokenVerifier, type KeySet, type TokenFacts, type TokenVerifier } from './tokens.ts'
import { newUnrecordedTrace, runWithContext } from './trace.ts'
import { createVitals, type Vitals, vitalsPath } from './vitals.ts'

/** What every process of ours is configured with; see `serviceConfig`. */
export type RuntimeConfig = BrokerConfig & {
  readonly host: string
  readonly port: number
  readonly grpcPort?: number | undefined
  readonly grpcReflection?: boolean
  readonly metricsPort: number
  readonly logLevel: string
  readonly instanceId: string
  /** See `LameDuck`. */
  readonly drainQuietMs: number
  readonly internalSecret: string
  /** Where auth is. */
  readonly jwksUrls: readonly string[]
  /** Where rbac is; without it the policy stays empty and denies everything. */
  readonly rbacUrls?: readonly string[]
  /** Orders alone knows the secret of guests' order tokens. */
  readonly orderTokenSecret?: string
  /** Where spans are sent; without it none are made. */
  readonly otlpEndpoint?: string | undefined
  readonly otlpHeaders?: Readonly<Record<string, string>>
  readonly otlpTimeoutMs?: number
  readonly traceRatio?: number
  readonly resourceAttributes?: Readonly<Record<string, string>>
}

export type Runtime = {
  readonly service: string
  readonly config: RuntimeConfig
  readonly logger: Logger
  readonly metrics: Metrics
  /** Absent where nobody is told of spans. */
  readonly tracer: Tracer | undefined
  readonly messaging: Messaging
  readonly tokens: TokenVerifier
  readonly policy: Policy
  readonly vitals: Vitals
  /** What the metrics server tells to holders of the internal secret, by path. */
  readonly internalDocuments: Map<string, (query: URLSearchParams) => Promise<unknown>>
  /** Holds metrics, tokens and policy; the app adds the rest and starts it. */
  readonly lifecycle: Lifecycle
}

// Shorter than what Kubernetes and the supervisor wait before they kill, longer than any request.
const drainMs = 15_000
// Keys and policy are answered from memory; a lost packet must not hold up the start.
const readDeadlineMs = 2_000

/** What every process of ours has in common, made from its configuration. */
export function createRuntime(options: {
  service: string
  config: RuntimeConfig
  /** How the platform's topics are kept, by name; from the contracts. */
  topics: Readonly<Record<string, TopicSettings>>
  /** Queues whose depth this process tells besides its own; from the contracts. */
  queues?: readonly string[]
  isRevoked?: (facts: TokenFacts) => boolean
  /** The keys at hand, for who issues the tokens; others ask auth. */
  fetchKeySet?: () => Promise<KeySet>
}): Runtime {
  const { service, config, topics, queues = [], isRevoked } = options
  const { instanceId: instance, orderTokenSecret } = config
  const metrics = createMetrics({ service })
  const { logLevel: level, internalSecret } = config
  const logger = createLogger({ service, instance, level, onProblem: (each) => vitals.note(each) })
  const lifecycle = createLifecycle({ logger, drainMs })
  const vitals = createVitals({ service, instance, metrics, isReady: lifecycle.isReady })
  const tracer = openTracer(service, config, { logger, metrics, lifecycle })
  const common = { service, instance, logger, metrics, tracer }
  const messaging = createMessaging({ ...common, config, topics, queues })
  const tokens = createTokenVerifier({
    fetchKeySet: options.fetchKeySet ?? createKeySetFetch(config, lifecycle),
    logger,
    ...(isRevoked && { isRevoked }),
    ...(orderTokenSecret !== undefined && { orderTokenSecret }),
  })
  const policy = createPolicy({ fetchPolicy: createPolicyFetch(config, lifecycle), logger })

  const internalDocuments: Runtime['internalDocuments'] = new Map([[vitalsPath, vitals.read]])
  const check = createInternalCheck(internalSecret)
  const internal = { check, documents: internalDocuments }
  let metricsServer: { stop(): Promise<void> } | undefined
  lifecycle.add({
    name: 'metrics',
    async start() {
      const { host, metricsPort: port } = config
      metricsServer = await startMetricsServer({ metrics, host, port, internal })
    },
    stop: async () => metricsServer?.stop(),
  })
  lifecycle.add({ name: 'token keys', ...tokens })
  if (config.rbacUrls) lifecycle.add({ name: 'policy', ...policy })
  return {
    ...{ service, config, logger, metrics, tracer, messaging, tokens, policy, lifecycle },
    ...{ vitals, internalDocuments },
  }
}

/** Added first to the life-cycle, so that it also sends what the others do while they stop. */
function openTracer(
  service: string,
  config: RuntimeConfig,
  { logger, metrics, lifecycle }: Pick<Runtime, 'logger' | 'metrics' | 'lifecycle'>,
): Tracer | undefined {
  const { otlpEndpoint: endpoint, otlpHeaders: headers = {}, otlpTimeoutMs = 10_000 } = config
  if (endpoint === undefined) return undefined
  const resource = {
    'service.version': manifest.version,
    ...config.resourceAttributes,
    'service.name': service,
    'service.instance.id': config.instanceId,
  }
  const to = { endpoint, headers, timeoutMs: otlpTimeoutMs, resource }
  const spans = createSpanExport({ ...to, logger, metrics })
  lifecycle.add(spans)
  return createTracer({ ratio: config.traceRatio ?? 1, record: spans.add })
}

function createKeySetFetch({ jwksUrls }: RuntimeConfig, lifecycle: Lifecycle) {
  if (jwksUrls.length === 0) return undefined
  const read = createReader(lifecycle, { name: 'auth', addresses: jwksUrls, path: keySetPath })
  return async () => (await read()) as KeySet
}

function createPolicyFetch({ rbacUrls, internalSecret }: RuntimeConfig, lifecycle: Lifecycle) {
  if (!rbacUrls) return async () => ({ roles: [] })
  const read = createReader(lifecycle, {
    name: 'rbac',
    addresses: rbacUrls,
    path: '/internal/v1/policy',
    headers: { authorization: internalAuthorization(internalSecret) },
  })
  return async () => (await read()) as { roles: readonly RoleState[] }
}

/** Reads one small document from whichever instance answers. */
function createReader(
  lifecycle: Lifecycle,
  options: Pick<HttpClientOptions, 'name' | 'addresses'> & Pick<HttpCall, 'path' | 'headers'>,
): () => Promise<unknown> {
  const { name, addresses, ...call } = options
  const client = createHttpClient({ name, addresses, deadlineMs: readDeadlineMs, connections: 1 })
  lifecycle.add({ name: `${name} client`, stop: () => client.close() })
  return async () => {
    // Of no request: several wait for the same answer, and one may have little time left.
    const answer = await runWithContext({ trace: newUnrecordedTrace() }, () =>
      client.request({ method: 'GET', ...call }),
    )
    if (answer.status !== 200) throw new Error(`${name} answered ${answer.status}.`)
    return answer.body
  }
}

/**
 * Opens the service's own database and adds it to the life-cycle: migrated at start, with outbox
 * relay and inbox when their schemas are asked for.
 * @param options.migrations the folder of `NNNN_name.sql`.
 */
export function openDatabase(
  { service, lifecycle, logger, metrics, tracer, messaging, vitals }: Runtime,
  options: {
    url: string
    migrations: URL
    schemas?: readonly KitSchema[]
    poolSize?: number
  },
): Database {
  const { url, migrations, schemas = [], poolSize } = options
  const database = createDatabase({
    url,
    logger,
    applicationName: service,
    ...(poolSize !== undefined && { poolSize }),
  })
  vitals.addDatabase(decodeURIComponent(new URL(url).pathname.slice(1)), database.pool)
  lifecycle.add({
    name: 'database',
    start: () => migrate(database, { directory: fileURLToPath(migrations), schemas }),
    stop: () => database.close(),
  })
  if (schemas.includes(outboxSchema)) {
    const { publisher } = messaging
    const relay = createRelay({ database, listenUrl: url, publisher, logger, metrics, tracer })
    vitals.setOutbox(relay.stats)
    lifecycle.add(relay)
  }
  if (schemas.includes(inboxSchema)) lifecycle.add(createInboxPruner({ database, logger }))
  return database
}

/** An HTTP server with what the runtime knows; the app adds it to the life-cycle after its handlers. */
export function openHttpServer<O extends Operations<O>>(
  { service, config, logger, metrics, tracer, tokens, policy, lifecycle, vitals }: Runtime,
  options: Pick<HttpServerOptions<O>, 'routes'> & Partial<HttpServerOptions<O>>,
): HttpServer<O> {
  const { host, port, instanceId: instance, internalSecret, drainQuietMs } = config
  const { isReady } = lifecycle
  return createHttpServer<O>({
    ...{ service, instance, host, port, logger, metrics, tokens, policy, internalSecret, isReady },
    ...{ tracer, drainQuietMs, readVitals: vitals.read },
    ...options,
  })
}

/** A gRPC server with what the runtime knows; the app adds it to the life-cycle. */
export function openGrpcServer(
  { config, logger, metrics, tracer, lifecycle }: Runtime,
  services: readonly GrpcService[],
): GrpcServer {
  const { host, grpcPort: port = 0, internalSecret, drainQuietMs, grpcReflection } = config
  const { isReady } = lifecycle
  const common = { host, port, logger, metrics, tracer, internalSecret, isReady, drainQuietMs }
  return createGrpcServer({ ...common, services, hasReflection: grpcReflection ?? false })
}
