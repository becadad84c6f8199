import { fileURLToPath } from 'node:url'
import { createDatabase, type Database, migrate } from './database.ts'
import { createGrpcServer, type GrpcServer, type GrpcService } from './grpc-server.ts'
import { createHttpClient } from './http-client.ts'
import type { Operations } from './http-contract.ts'
import { createHttpServer, type HttpServer, type HttpServerOptions } from './http-server.ts'
import { createInboxPruner, inboxSchema } from './inbox.ts'
import { createLifecycle, type Lifecycle } from './lifecycle.ts'
import { createLogger, type Logger } from './logging.ts'
import { type BrokerConfig, createMessaging } from './messaging/connect.ts'
import type { Messaging, TopicSettings } from './messaging.ts'
import { createMetrics, type Metrics, startMetricsServer } from './metrics.ts'
import type { KitSchema } from './migrations.ts'
import { outboxSchema } from './outbox.ts'
import { createPolicy, type Policy, type RoleState } from './policy.ts'
import { createRelay } from './relay.ts'
import {
  createTokenVerifier,
  internalAuthorization,
  type KeySet,
  type TokenFacts,
  type TokenVerifier,
} from './tokens.ts'

/** What every process of ours is configured with; see `serviceConfig`. */
export type RuntimeConfig = BrokerConfig & {
  readonly host: string
  readonly port: number
  readonly grpcPort?: number | undefined
  readonly metricsPort: number
  readonly logLevel: string
  readonly instanceId: string
  readonly internalSecret: string
  readonly jwksUrls: readonly string[]
  /** Where rbac is; without it the policy stays empty and denies everything. */
  readonly rbacUrls?: readonly string[]
  /** Orders alone knows the secret of guests' order tokens. */
  readonly orderTokenSecret?: string
}

export type Runtime = {
  readonly service: string
  readonly config: RuntimeConfig
  readonly logger: Logger
  readonly metrics: Metrics
  readonly messaging: Messaging
  readonly tokens: TokenVerifier
  readonly policy: Policy
  /** Holds metrics, tokens and policy; the app adds the rest and starts it. */
  readonly lifecycle: Lifecycle
}

// Shorter than what Kubernetes and the supervisor wait before they kill, longer than any request.
const drainMs = 15_000
// rbac answers from memory; a lost packet must not hold up the start.
const policyDeadlineMs = 2_000

/** What every process of ours has in common, made from its configuration. */
export function createRuntime(options: {
  service: string
  config: RuntimeConfig
  /** How the platform's topics are kept, by name; from the contracts. */
  topics: Readonly<Record<string, TopicSettings>>
  /** Queues whose depth this process tells besides its own; from the contracts. */
  queues?: readonly string[]
  isRevoked?: (facts: TokenFacts) => boolean
  /** The keys at hand, for who issues the tokens. */
  ownKeys?: () => KeySet
}): Runtime {
  const { service, config, topics, queues = [], isRevoked, ownKeys } = options
  const { instanceId: instance, orderTokenSecret } = config
  const logger = createLogger({ service, instance, level: config.logLevel })
  const metrics = createMetrics({ service })
  const lifecycle = createLifecycle({ logger, drainMs })
  const common = { service, instance, logger, metrics }
  const messaging = createMessaging({ ...common, config, topics, queues })
  const tokens = createTokenVerifier({
    jwksUrls: config.jwksUrls,
    logger,
    ...(isRevoked && { isRevoked }),
    ...(ownKeys && { ownKeys }),
    ...(orderTokenSecret !== undefined && { orderTokenSecret }),
  })
  const policy = createPolicy({ fetchPolicy: createPolicyFetch(config, lifecycle), logger })

  let metricsServer: { stop(): Promise<void> } | undefined
  lifecycle.add({
    name: 'metrics',
    async start() {
      const { host, metricsPort: port } = config
      metricsServer = await startMetricsServer({ metrics, host, port })
    },
    stop: async () => metricsServer?.stop(),
  })
  lifecycle.add({ name: 'token keys', ...tokens })
  if (config.rbacUrls) lifecycle.add({ name: 'policy', ...policy })
  return { service, config, logger, metrics, messaging, tokens, policy, lifecycle }
}

function createPolicyFetch(config: RuntimeConfig, lifecycle: Lifecycle) {
  const { rbacUrls, internalSecret } = config
  if (!rbacUrls) return async () => ({ roles: [] })
  const client = createHttpClient({
    name: 'rbac',
    addresses: rbacUrls,
    deadlineMs: policyDeadlineMs,
    connections: 1,
  })
  lifecycle.add({ name: 'rbac client', stop: () => client.close() })
  return async () => {
    const answer = await client.request({
      method: 'GET',
      path: '/internal/v1/policy',
      headers: { authorization: internalAuthorization(internalSecret) },
    })
    if (answer.status !== 200) throw new Error(`rbac answered ${answer.status}.`)
    return answer.body as { roles: readonly RoleState[] }
  }
}

/**
 * Opens the service's own database and adds it to the life-cycle: migrated at start, with outbox
 * relay and inbox when their schemas are asked for.
 * @param options.migrations the folder of `NNNN_name.sql`.
 */
export function openDatabase(
  { service, lifecycle, logger, metrics, messaging }: Runtime,
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
  lifecycle.add({
    name: 'database',
    start: () => migrate(database, { directory: fileURLToPath(migrations), schemas }),
    stop: () => database.close(),
  })
  if (schemas.includes(outboxSchema)) {
    const { publisher } = messaging
    lifecycle.add(createRelay({ database, listenUrl: url, publisher, logger, metrics }))
  }
  if (schemas.includes(inboxSchema)) lifecycle.add(createInboxPruner({ database, logger }))
  return database
}

/** An HTTP server with what the runtime knows; the app adds it to the life-cycle after its handlers. */
export function openHttpServer<O extends Operations<O>>(
  { service, config, logger, metrics, tokens, policy, lifecycle }: Runtime,
  options: Pick<HttpServerOptions<O>, 'routes'> & Partial<HttpServerOptions<O>>,
): HttpServer<O> {
  const { host, port, instanceId: instance, internalSecret } = config
  const { isReady } = lifecycle
  return createHttpServer<O>({
    ...{ service, instance, host, port, logger, metrics, tokens, policy, internalSecret, isReady },
    ...options,
  })
}

/** A gRPC server with what the runtime knows; the app adds it to the life-cycle. */
export function openGrpcServer(
  { config, logger, metrics }: Runtime,
  services: readonly GrpcService[],
): GrpcServer {
  const { host, grpcPort: port = 0, internalSecret } = config
  return createGrpcServer({ host, port, logger, metrics, internalSecret, services })
}
