import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { observabilityFile, prometheusFile } from './compose-observability.ts'
import {
  brokerReferences,
  composeSecrets,
  databaseReference,
  fileOf,
  keyReferences,
  references,
} from './compose-secrets.ts'
import { confined, haproxy, postgres, type Service } from './compose-servers.ts'
import { defaultLimits, haproxyConfiguration } from './haproxy/configuration.ts'
import { environmentOf, type Instance, type Platform, partsOf } from './topology.ts'
import { toYaml } from './yaml.ts'

const help = `Writes what deploy/compose and deploy/haproxy hold of the topology of npm start.

  node stack/src/compose.ts             the files
  node stack/src/compose.ts --secrets   deploy/compose/secrets/ with new passwords and keys, once
  node stack/src/compose.ts --help      this text
`

const deploy = resolve(import.meta.dirname, '../../deploy')
const folder = join(deploy, 'compose')
const ports = { http: 8080, grpc: 9090, metrics: 9100 }
const sandboxPort = 8181

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
    addresses: { ...brokerReferences, kafkaBrokers: 'kafka:19092' },
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

/** The settings of an instance; each secret by the name of its file. */
function environmentIn(instance: Instance): Record<string, string> {
  const { name } = instance.part
  const found = environmentOf(instance, platform, {
    instances,
    urlOf: (_database, role) => databaseReference(role),
    hostOf: (part) => part,
  })
  const keys = Object.entries(keyReferences).filter(([key]) => key in found)
  return {
    ...found,
    ...Object.fromEntries(keys),
    HOST: '0.0.0.0',
    ...inContainers[name],
  }
}

/** Settings as Compose gives them, and the files that a container needs for them. */
function settingsOf(environment: Readonly<Record<string, string>>) {
  const secrets = new Set<string>()
  const settings = Object.entries(environment).map(([name, value]) => {
    const file = fileOf(value)
    if (file === undefined) return [name, value]
    secrets.add(file)
    return [`${name}_FILE`, `/run/secrets/${file}`]
  })
  return { environment: Object.fromEntries(settings), secrets: [...secrets] }
}

const image = {
  image: `\${HALLES_IMAGE:-halles:local}`,
  build: {
    context: '../..',
    dockerfile: 'deploy/image/Dockerfile',
    args: {
      BASE: `\${HALLES_BASE:-gcr.io/distroless/cc-debian12:nonroot}`,
      VERSION: `\${HALLES_VERSION:-0.0.0}`,
    },
  },
}

const program = ['/usr/local/bin/node', '/halles/dist/stack/image/src/main.js']

function serviceOf(instance: Instance): Service {
  const { name, entry, database, listens, stage } = instance.part
  const isSandbox = name === 'stripe-sandbox'
  const servers = entry.startsWith('services/') ? ['rabbitmq', 'kafka'] : []
  const waits = {
    ...Object.fromEntries(servers.map((each) => [each, { condition: 'service_healthy' }])),
    ...(database ? { migrations: { condition: 'service_completed_successfully' } } : {}),
  }
  return {
    ...image,
    command: [name],
    ...settingsOf(environmentIn(instance)),
    ...(isSandbox ? { ports: [`127.0.0.1:${sandboxPort}:${ports.http}`] } : {}),
    expose: listens.map((kind) => String(ports[kind])),
    ...(isSandbox ? { volumes: ['stripe-sandbox:/data'] } : { depends_on: waits }),
    healthcheck: {
      // Ready, so that HAProxy waits for a gateway that can serve; the sandbox is when it is alive.
      test: ['CMD', ...program, isSandbox ? 'health' : 'ready'],
      interval: '10s',
      timeout: '5s',
      retries: 6,
      start_period: '60s',
    },
    // Longer than the drain of a service.
    stop_grace_period: stage > 1 ? '20s' : '15s',
    restart: 'unless-stopped',
    ...confined,
    mem_limit: '512m',
    cpus: 1,
  }
}

/** Ends before any service begins, so that a migration that fails stops the upgrade. */
function migrations(): Service {
  const owners = instances.map(({ part }) => part).filter(({ database }) => database)
  const urls = owners.map(({ name }) => [
    `${name.toUpperCase()}_DATABASE_URL`,
    databaseReference(name),
  ])
  return {
    ...image,
    command: ['migrate', ...owners.map(({ name }) => name)],
    ...settingsOf(Object.fromEntries(urls)),
    depends_on: { postgres: { condition: 'service_healthy' } },
    healthcheck: { disable: true },
    restart: 'on-failure:3',
    ...confined,
    mem_limit: '256m',
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

/** The text of `halles.yaml`. */
export function composeFile(): string {
  const parts = instances.map((instance) => [instance.part.name, serviceOf(instance)])
  const services: Record<string, Service> = {
    postgres: postgres(),
    migrations: migrations(),
    haproxy: haproxy({ ports, httpsPort }),
    ...Object.fromEntries(parts),
  }
  const files = new Set(Object.values(services).flatMap(({ secrets = [] }) => secrets))
  const content = {
    name: 'halles',
    include: ['brokers.yaml'],
    services,
    volumes: { postgres: {}, 'stripe-sandbox': {} },
    secrets: Object.fromEntries([...files].map((name) => [name, { file: `./secrets/${name}` }])),
  }
  return `# Written by node stack/src/compose.ts from the topology: change that. See README.md here.\n${toYaml(content)}`
}

/** Every file that is written from the topology, by its path below `deploy/`. */
export function composeFiles(): Record<string, string> {
  return {
    'compose/halles.yaml': composeFile(),
    'compose/observability.yaml': observabilityFile(instances),
    'compose/observability/prometheus.yaml': prometheusFile(instances, ports.metrics),
    'haproxy/haproxy.cfg': haproxyFile(),
  }
}

function writeSecrets(): void {
  const target = join(folder, 'secrets')
  // The folder keeps other users of this machine away. Each file is mounted as it is into
  // containers, whose users have numbers that this machine does not know: they must be able to read.
  // Never over what a volume was made with: a folder that is there is an error.
  mkdirSync(target, { mode: 0o700 })
  for (const [name, value] of Object.entries(composeSecrets())) {
    writeFileSync(join(target, name), `${value}\n`)
    chmodSync(join(target, name), 0o444)
  }
}

function main(): void {
  const { values } = parseArgs({
    options: {
      secrets: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) process.stdout.write(help)
  else if (values.secrets) writeSecrets()
  else {
    for (const [path, text] of Object.entries(composeFiles())) {
      writeFileSync(join(deploy, path), text)
    }
  }
}

if (import.meta.main) main()
