import { join } from 'node:path'
import { publicPart } from '@halles/kit/sealing-keys'
import type { BrokerAddresses } from './brokers/given.ts'
import type { EdgeKind } from './edge.ts'
import { consoleOf, gatewaysOf, grpcOf, overridesOf, placeOf, sharedOf } from './environment.ts'
import type { MessagingChoice } from './messaging-choice.ts'
import type { DatabasePlan } from './postgres-databases.ts'
import type { Secrets } from './secrets.ts'
import { webPart } from './web-part.ts'

/** What the whole platform was told, from which each part gets what it needs. */
export type Platform = {
  dataFolder: string
  /** The port that people use. */
  port: number
  /** The address that the edge listens on; everything else stays on loopback. */
  host: string
  /** Who is the edge; the gateways, when nothing is said. */
  edge?: EdgeKind
  /** The address of the shop as people's browsers see it. */
  publicUrl: string
  logLevel: string
  currency: string
  hasDemoCatalogue: boolean
  /** Given by the user: then payments talks to Stripe and the sandbox stays away. */
  stripe: { apiKey: string; webhookSecret: string } | undefined
  secrets: Secrets
  /** Brokers that services use; what is not there is embedded, in PostgreSQL. */
  messaging?: {
    addresses: BrokerAddresses
    /** Settings with which services sign in to Kafka. */
    kafkaAccess: Readonly<Record<string, string>>
  }
  /** Settings for one part from outside: `HALLES_GATEWAY_CACHE_BYTES` becomes its `CACHE_BYTES`. */
  overrides: Readonly<Record<string, string | undefined>>
}

export type Part = {
  name: string
  /** Source of the process, from the root of the repository. */
  entry: string
  /** Its own database, and a role of the part's name. */
  database?: string
  listens: readonly ('http' | 'grpc' | 'metrics')[]
  /** Parts that it calls over HTTP: their addresses come as NAME_URLS. */
  calls?: readonly string[]
  /** Parts that it calls over gRPC: their addresses come as NAME_GRPC. */
  callsGrpc?: readonly string[]
  settings?(platform: Platform, portOf: (part: string) => number): Record<string, string>
  /** Parts of a higher stage stop first. */
  stage: number
}

const service = (name: string, details: Partial<Part>): Part => ({
  name,
  entry: `services/${name}/src/main.ts`,
  database: name,
  listens: ['http', 'metrics'],
  calls: ['rbac'],
  stage: 2,
  ...details,
})

const admin = ({ secrets }: Platform) => ({
  ADMIN_SUBJECT_ID: secrets.admin.subjectId,
  ADMIN_EMAIL: secrets.admin.email,
})

// The newest key alone, and only its public part: customers can write to auth and read nothing back.
const sealingKeyOf = ({ secrets: { credentialsKeys } }: Platform) =>
  JSON.stringify(credentialsKeys.slice(0, 1).map(publicPart)[0])

/**
 * What payments acts on; a real endpoint is subscribed to chosen types too. Of each change the one
 * event that tells it is enough: a payment that is made at once is told by its session alone, so that
 * it costs one notification.
 */
const webhookEvents = [
  'checkout.session.completed',
  'checkout.session.expired',
  'checkout.session.async_payment_succeeded',
  'checkout.session.async_payment_failed',
  // Money that was held is taken, or let go, in the dashboard too.
  'charge.captured',
  'payment_intent.canceled',
  'refund.created',
  'refund.updated',
  'refund.failed',
  'charge.dispute.created',
  'charge.dispute.closed',
  'charge.dispute.funds_reinstated',
]

/** The platform: who there is, who owns which database, who calls whom. */
export const parts: readonly Part[] = [
  {
    name: 'stripe-sandbox',
    entry: 'stack/stripe-sandbox/src/main.ts',
    listens: ['http'],
    stage: 1,
    settings: ({ port, secrets, dataFolder }, portOf) => ({
      DATA_DIR: join(dataFolder, 'stripe-sandbox'),
      STRIPE_API_KEY: secrets.stripeApiKey,
      WEBHOOK_URL: `http://127.0.0.1:${port}/api/v1/webhooks/stripe`,
      WEBHOOK_SECRET: secrets.stripeWebhookSecret,
      WEBHOOK_EVENTS: webhookEvents.join(','),
      PUBLIC_URL: `http://localhost:${portOf('stripe-sandbox')}`,
    }),
  },
  service('auth', {
    database: 'credentials',
    calls: [],
    stage: 1,
    settings: ({ secrets }) => ({
      SIGNING_KEY_SECRET: secrets.signingKeySecret,
      CREDENTIALS_PRIVATE_KEYS: JSON.stringify(secrets.credentialsKeys),
      ...(secrets.signingKeysSince ? { SIGNING_KEYS_SINCE: secrets.signingKeysSince } : {}),
    }),
  }),
  service('rbac', { calls: [], stage: 1, settings: admin }),
  service('customers', {
    database: 'users',
    settings: (platform) => ({
      ...admin(platform),
      ADMIN_PASSWORD: platform.secrets.admin.password,
      CREDENTIALS_PUBLIC_KEY: sealingKeyOf(platform),
    }),
  }),
  service('products', {
    listens: ['http', 'grpc', 'metrics'],
    settings: ({ currency, hasDemoCatalogue }) => ({
      SHOP_CURRENCY: currency,
      DEMO_CATALOGUE: String(hasDemoCatalogue),
    }),
  }),
  service('wishlists', {}),
  service('carts', { listens: ['http', 'grpc', 'metrics'] }),
  service('orders', {
    listens: ['http', 'grpc', 'metrics'],
    callsGrpc: ['carts', 'products', 'payments'],
    settings: ({ publicUrl, secrets }) => ({
      PUBLIC_URL: publicUrl,
      ORDER_TOKEN_SECRET: secrets.orderTokenSecret,
    }),
  }),
  service('payments', {
    listens: ['http', 'grpc', 'metrics'],
    callsGrpc: ['orders'],
    settings: ({ publicUrl, stripe, secrets }, portOf) => ({
      PUBLIC_URL: publicUrl,
      STRIPE_API_KEY: stripe?.apiKey ?? secrets.stripeApiKey,
      STRIPE_WEBHOOK_SECRET: stripe?.webhookSecret ?? secrets.stripeWebhookSecret,
      ...(stripe ? {} : { STRIPE_API_BASE: `http://127.0.0.1:${portOf('stripe-sandbox')}` }),
    }),
  }),
  webPart,
  {
    name: 'gateway',
    entry: 'services/gateway/src/main.ts',
    listens: ['metrics'],
    calls: [
      'auth',
      'rbac',
      'customers',
      'products',
      'wishlists',
      'carts',
      'orders',
      'payments',
      'web',
    ],
    settings: ({ publicUrl, messaging }) => ({
      PUBLIC_URL: publicUrl,
      ...(messaging?.addresses.redisUrl ? { REDIS_URL: messaging.addresses.redisUrl } : {}),
      // One machine is one client: a developer's script or a load test must not be slowed down by
      // limits meant for the internet. HALLES_GATEWAY_RATE_LIMIT_FACTOR=1 has them as deployed.
      RATE_LIMIT_FACTOR: '100',
    }),
    stage: 3,
  },
]

export const defaultReplicas: Readonly<Record<string, number>> = { gateway: 2 }

/** Several processes can share a port only where the kernel spreads connections over them. */
export const canSharePort = process.platform === 'linux'

/** The parts that this platform runs. */
export function partsOf({ stripe, edge }: Pick<Platform, 'stripe' | 'edge'>): Part[] {
  return parts
    .filter(({ name }) => name !== 'stripe-sandbox' || stripe === undefined)
    .map((part) =>
      part.name === 'gateway' && edge === 'haproxy'
        ? { ...part, listens: ['http', ...part.listens] }
        : part,
    )
}

export type Instance = { part: Part; id: string; ports: Record<string, number> }

/** The databases: one per service, and that of embedded messages, which all services share. */
export function databasePlans(
  secrets: Secrets,
  { queues, topics }: MessagingChoice,
): DatabasePlan[] {
  const own = parts.flatMap(({ name, database }) => (database ? [{ database, role: name }] : []))
  const isEmbedded = queues === 'embedded' || topics === 'embedded'
  const shared = isEmbedded ? [{ database: 'messages', role: 'messages' }] : []
  return [...own, ...shared].map((plan) => ({
    ...plan,
    password: secrets.databases[plan.role] ?? '',
  }))
}

/** Names of the roles that need a password. */
export const databaseRoles = [
  ...parts.flatMap(({ name, database }) => (database ? [name] : [])),
  'messages',
]

// A service's pool (10), its broker's pool (4), listeners and relay; rounded up.
const connectionsPerInstance = 20

// A connection that nobody opens costs PostgreSQL some KB.
const spareInstances = 16

/** How many instances there may be, so that parts can be scaled while PostgreSQL runs. */
export function instancesFor(planned: number): number {
  return planned + spareInstances
}

/** What PostgreSQL must allow, with room for an operator and for restarts that overlap. */
export function connectionsFor(instances: number): number {
  return instances * connectionsPerInstance + 40
}

/** An instance, and the names under which its ports are remembered. */
export type PlannedInstance = { part: Part; id: string; portNames: string[] }

/** Every instance of every part. */
export function planInstances(
  platform: Platform,
  replicas: Readonly<Record<string, number>>,
): PlannedInstance[] {
  return partsOf(platform).flatMap((part) =>
    Array.from({ length: replicas[part.name] ?? 1 }, (_, index) => planInstance(part, index)),
  )
}

/** The part's first instance (index 0), its second … */
export function planInstance(part: Part, index: number): PlannedInstance {
  const id = `${part.name}-${index + 1}`
  return { part, id, portNames: part.listens.map((kind) => `${id}.${kind}`) }
}

/** The environment of one instance: everything it needs and nothing that it does not. */
export function environmentOf(
  instance: Instance,
  platform: Platform,
  context: {
    instances: readonly Instance[]
    urlOf(database: string, role: string): string
    /** Where callers find a part's instances while these come and go; else they are listed. */
    listOf?(part: string, kind: 'http' | 'grpc' | 'metrics'): string
    /** Where the stack listens for commands; absent where no stack runs. */
    control?: string
    /** The name of the machine that a part runs on, where that is not this one. */
    hostOf?(part: string): string
  },
): Record<string, string> {
  const { part, ports } = instance
  const addresses = (name: string, kind: 'http' | 'grpc') =>
    context.listOf?.(name, kind) ??
    context.instances
      .filter((each) => each.part.name === name)
      .map((each) => `${context.hostOf?.(name) ?? '127.0.0.1'}:${each.ports[kind]}`)
      .map((address) => (kind === 'http' ? `http://${address}` : address))
      .join(',')
  const portOf = (name: string) =>
    context.instances.find((each) => each.part.name === name)?.ports.http ?? 0
  const upper = (name: string) => name.toUpperCase()
  const isService = part.entry.startsWith('services/')

  return {
    SERVICE_NAME: part.name,
    INSTANCE_ID: instance.id,
    LOG_LEVEL: platform.logLevel,
    ...placeOf(instance, platform),
    ...grpcOf(ports.grpc, context),
    ...(ports.metrics === undefined ? {} : { METRICS_PORT: String(ports.metrics) }),
    ...(part.database ? { DATABASE_URL: context.urlOf(part.database, part.name) } : {}),
    ...(isService
      ? {
          ...sharedOf(platform, context.urlOf),
          JWKS_URLS: addresses('auth', 'http'),
        }
      : {}),
    ...Object.fromEntries(
      (part.calls ?? []).map((name) => [`${upper(name)}_URLS`, addresses(name, 'http')]),
    ),
    ...Object.fromEntries(
      (part.callsGrpc ?? []).map((name) => [`${upper(name)}_GRPC`, addresses(name, 'grpc')]),
    ),
    ...gatewaysOf(part.name, platform, () => addresses('gateway', 'http')),
    ...consoleOf(part.name, context),
    ...part.settings?.(platform, portOf),
    ...overridesOf(part.name, platform.overrides),
  }
}
