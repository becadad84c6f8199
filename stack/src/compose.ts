import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { publicPart } from '@halles/kit/sealing-keys'
import { defaultLimits, haproxyConfiguration } from './haproxy/configuration.ts'
import { loadSecrets, type Secrets } from './secrets.ts'
import {
  databasePlans,
  databaseRoles,
  environmentOf,
  type Instance,
  type Platform,
  partsOf,
} from './topology.ts'
import { toYaml, type Yaml } from './yaml.ts'


const help = `Writes deploy/compose/halles.yaml and deploy/haproxy/haproxy.cfg from the topology of npm start.

  node stack/src/compose.ts          the files
  node stack/src/compose.ts --env    deploy/compose/.env with new passwords and keys, once
  node stack/src/compose.ts --help   this text
`

const deploy = resolve(import.meta.dirname, '../../deploy')
const folder = join(deploy, 'compose')
const brokers = { queues: 'rabbitmq', topics: 'kafka' } as const
const ports = { http: 8080, grpc: 9090, metrics: 9100 }
const sandboxPort = 8181

/** A variable of `.env`, without which nothing starts. */
const variable = (name: string) => `\${${name}:?is missing; see deploy/compose/README.md}`
const passwordOf = (role: string) => `PASSWORD_${role.toUpperCase()}`

// Given as they are to the one service that needs each.
const keys = ['CREDENTIALS_PRIVATE_KEYS', 'CREDENTIALS_PUBLIC_KEY']

/** Secrets whose values are the names of variables. */
const references: Secrets = {
  postgresPassword: variable('POSTGRES_PASSWORD'),
  databases: {},
  internalSecret: variable('INTERNAL_SECRET'),
  signingKeySecret: variable('SIGNING_KEY_SECRET'),
  credentialsKeys: [{ kty: 'OKP', crv: 'X25519', x: '', d: '', kid: '' }],
  orderTokenSecret: variable('ORDER_TOKEN_SECRET'),
  sessionSecret: variable('SESSION_SECRET'),
  stripeApiKey: variable('STRIPE_API_KEY'),
  stripeWebhookSecret: variable('STRIPE_WEBHOOK_SECRET'),
  admin: {
    subjectId: variable('ADMIN_SUBJECT_ID'),
    email: variable('ADMIN_EMAIL'),
    password: variable('ADMIN_PASSWORD'),
  },
}

const platform: Platform = {
  dataFolder: '/data',
  port: ports.http,
  host: '0.0.0.0',
  edge: 'haproxy',
  publicUrl: `\${PUBLIC_URL:-http://localhost:\${HALLES_PORT:-8080}}`,
  logLevel: `\${LOG_LEVEL:-info}`,
  currency: `\${SHOP_CURRENCY:-EUR}`,
  hasDemoCatalogue: true,
  stripe: undefined,
  overrides: {},
  secrets: references,
  messaging: {
    addresses: {
      amqpUrl: `amqp://halles:${variable('RABBITMQ_PASSWORD')}@rabbitmq:5672`,
      kafkaBrokers: 'kafka:19092',
      redisUrl: `redis://:${variable('REDIS_PASSWORD')}@redis:6379`,
    },
    kafkaAccess: {},
  },
}

const instances: Instance[] = partsOf(platform).map((part) => ({
  part,
  id: part.name,
  ports: Object.fromEntries(part.listens.map((kind) => [kind, ports[kind]])),
}))

/** What differs in containers from processes that share loopback. */
const inContainers: Readonly<Record<string, Record<string, string>>> = {
  'stripe-sandbox': {
    DATA_DIR: '/data',
    WEBHOOK_URL: `http://haproxy:${ports.http}/api/v1/webhooks/stripe`,
    PUBLIC_URL: `http://localhost:${sandboxPort}`,
  },
  // Only containers of this network reach a gateway, and Docker chooses their addresses.
  gateway: {
    TRUSTED_PROXIES: '10.0.0.0/8,172.16.0.0/12,192.168.0.0/16',
    GATEWAY_METRICS_URLS: `dns+http://gateway:${ports.metrics}`,
    RATE_LIMIT_FACTOR: '1',
  },
  payments: { STRIPE_API_BASE: `http://stripe-sandbox:${ports.http}` },
  web: {
    PAYMENT_ORIGINS: `http://localhost:${sandboxPort}`,
  },
}

function environmentIn(instance: Instance): Record<string, string> {
  const urlOf = (database: string, role: string) =>
    `postgres://${role}:${variable(passwordOf(role))}@postgres:5432/${database}`
  const { name } = instance.part
  const found = environmentOf(instance, platform, { instances, urlOf, hostOf: (part) => part })
  const own = keys.filter((key) => key in found).map((key) => [key, variable(key)])
  return { ...found, ...Object.fromEntries(own), HOST: '0.0.0.0', ...inContainers[name] }
}

function serviceOf(instance: Instance): Yaml {
  const { name, entry, database, listens, stage } = instance.part
  const published: Record<string, string> = {
    'stripe-sandbox': `127.0.0.1:${sandboxPort}:${ports.http}`,
  }
  const probe = `fetch('http://127.0.0.1:${ports.http}/readyz').then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))`
  const servers = [
    ...(entry.startsWith('services/') ? ['rabbitmq', 'kafka'] : []),
    ...(database ? ['postgres'] : []),
  ]
  const isSandbox = name === 'stripe-sandbox'
  const waits = Object.fromEntries(servers.map((each) => [each, { condition: 'service_healthy' }]))
  return {
    image: `\${HALLES_IMAGE:-node:24-bookworm-slim}`,
    working_dir: '/halles',
    command: ['node', '--enable-source-maps', entry],
    environment: environmentIn(instance),
    ...(published[name] ? { ports: [published[name]] } : {}),
    expose: listens.map((kind) => String(ports[kind])),
    volumes: ['../..:/halles:ro', ...(isSandbox ? ['stripe-sandbox:/data'] : [])],
    ...(isSandbox
      ? {}
      : {
          depends_on: waits,
          healthcheck: {
            test: ['CMD', 'node', '-e', probe],
            interval: '10s',
            timeout: '5s',
            retries: 6,
            start_period: '60s',
          },
        }),
    // Longer than the drain of a service.
    stop_grace_period: stage > 1 ? '20s' : '15s',
    restart: 'unless-stopped',
    mem_limit: '512m',
    cpus: 1,
  }
}

const httpsPort = 8443
const changesPort = 8079

/** The text of `haproxy.cfg`: for containers, which find the gateways by their name. */
export function haproxyFile(): string {
  return haproxyConfiguration({
    gateways: { kind: 'named', name: 'gateway', port: ports.http, atMost: 16 },
    http: { host: '*', port: ports.http },
    tls: {
      ...{ host: '*', port: httpsPort, isRequired: false },
      certificate: { variable: 'CERTIFICATE' },
    },
    proxyNetworks: { variable: 'PROXY_NETWORKS' },
    metrics: { host: '*', port: ports.metrics },
    changesPort,
    revision: 'deployed',
    limits: defaultLimits,
  })
}

function haproxy(): Yaml {
  const probe = `exec 3<>/dev/tcp/127.0.0.1/${ports.metrics} && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q deployed <&3`
  return {
    image: 'haproxy:2.8.15-bookworm',
    environment: {
      CERTIFICATE: `\${CERTIFICATE:+/certificate.pem}`,
      PROXY_NETWORKS: `\${PROXY_NETWORKS:-}`,
    },
    ports: [`\${HALLES_PORT:-8080}:${ports.http}`, `\${HALLES_HTTPS_PORT:-8443}:${httpsPort}`],
    expose: [String(ports.metrics)],
    volumes: [
      '../haproxy:/usr/local/etc/haproxy:ro',
      `\${CERTIFICATE:-/dev/null}:/certificate.pem:ro`,
    ],
    depends_on: { gateway: { condition: 'service_healthy' } },
    healthcheck: {
      test: ['CMD', 'bash', '-c', probe],
      interval: '10s',
      timeout: '5s',
      retries: 6,
    },
    stop_grace_period: '20s',
    restart: 'unless-stopped',
    mem_limit: '512m',
    cpus: 1,
  }
}

function postgres(): Yaml {
  const plans = databasePlans(references, brokers)
  return {
    image: 'postgres:18.1-bookworm',
    command: [
      ...['postgres', '-c', 'max_connections=300'],
      ...['-c', 'shared_preload_libraries=pg_stat_statements'],
    ],
    environment: {
      POSTGRES_USER: 'halles',
      POSTGRES_PASSWORD: variable('POSTGRES_PASSWORD'),
      DATABASES: plans.map(({ database, role }) => `${database}:${role}`).join(' '),
      ...Object.fromEntries(
        plans.map(({ role }) => [passwordOf(role), variable(passwordOf(role))]),
      ),
    },
    volumes: [
      'postgres:/var/lib/postgresql',
      './postgres-init.sh:/docker-entrypoint-initdb.d/10-halles.sh:ro',
    ],
    healthcheck: {
      // Over TCP: while the databases are being created the server has a Unix socket only.
      test: ['CMD', 'pg_isready', '--quiet', '--host', '127.0.0.1', '--username', 'halles'],
      interval: '10s',
      timeout: '5s',
      retries: 6,
      start_period: '60s',
    },
    stop_grace_period: '30s',
    restart: 'unless-stopped',
    mem_limit: '1g',
    cpus: 2,
  }
}

/** The text of `halles.yaml`. */
export function composeFile(): string {
  const services = instances.map((instance) => [instance.part.name, serviceOf(instance)])
  const content = {
    name: 'halles',
    include: ['brokers.yaml'],
    services: { postgres: postgres(), haproxy: haproxy(), ...Object.fromEntries(services) },
    volumes: { postgres: {}, 'stripe-sandbox': {} },
  }
  return `# Written by node stack/src/compose.ts from the topology: change that. See README.md here.\n${toYaml(content)}`
}

/** The lines of `.env`: everything that `halles.yaml` and `brokers.yaml` refer to. */
export function composeSecrets(): Record<string, string> {
  const temporary = mkdtempSync(join(tmpdir(), 'halles-compose-'))
  try {
    const secrets = loadSecrets(temporary, databaseRoles)
    const random = () => randomBytes(24).toString('base64url')
    const plans = databasePlans(secrets, brokers)
    const [newest] = secrets.credentialsKeys.map(publicPart)
    return {
      POSTGRES_PASSWORD: secrets.postgresPassword,
      ...Object.fromEntries(plans.map(({ role, password }) => [passwordOf(role), password])),
      RABBITMQ_PASSWORD: random(),
      REDIS_PASSWORD: random(),
      INTERNAL_SECRET: secrets.internalSecret,
      SIGNING_KEY_SECRET: secrets.signingKeySecret,
      CREDENTIALS_PRIVATE_KEYS: JSON.stringify(secrets.credentialsKeys),
      CREDENTIALS_PUBLIC_KEY: JSON.stringify(newest),
      ORDER_TOKEN_SECRET: secrets.orderTokenSecret,
      SESSION_SECRET: secrets.sessionSecret,
      STRIPE_API_KEY: secrets.stripeApiKey,
      STRIPE_WEBHOOK_SECRET: secrets.stripeWebhookSecret,
      ADMIN_SUBJECT_ID: secrets.admin.subjectId,
      ADMIN_EMAIL: secrets.admin.email,
      ADMIN_PASSWORD: secrets.admin.password,
    }
  } finally {
    rmSync(temporary, { recursive: true })
  }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      env: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(help)
  } else if (values.env) {
    const lines = Object.entries(composeSecrets()).map(([name, value]) => `${name}='${value}'\n`)
    // Never over what a volume was made with.
    writeFileSync(join(folder, '.env'), lines.join(''), { mode: 0o600, flag: 'wx' })
  } else {
    writeFileSync(join(folder, 'halles.yaml'), composeFile())
    writeFileSync(join(deploy, 'haproxy/haproxy.cfg'), haproxyFile())
  }
}

if (import.meta.main) main()
