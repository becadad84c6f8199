import { stringify } from 'yaml'
import { environmentOf, type Instance, type Platform, partsOf } from '../topology.ts'
import { type Arrow, brokersOf, consumersOf, expectedCalls, outsideOf } from './arrows.ts'
import { chartPorts as ports } from './ports.ts'

/** Where a secret of ours comes from: the key of a Secret by the name of its kind. */
export type SecretSource = 'platform' | 'databases' | 'rabbitmq' | 'redis'

/** What the chart knows of a service: everything that it does not let its users choose. */
export type ChartService = {
  database?: string
  ports: readonly (keyof typeof ports)[]
  /** Texts that are the same everywhere. */
  environment: Record<string, string>
  /** The chart's value for each of these variables. */
  values: Record<string, string>
  /** For each of these variables, how its service is found. */
  addresses: Record<string, { scheme: string; service: string; port: string }>
  /** For each of these variables, the Secret that it is a key of. */
  secrets: Record<string, SecretSource>
  calls: { service: string; port: string }[]
  calledBy: { service: string; port: string }[]
  brokers: string[]
  outside: string[]
  /** Kafka groups and RabbitMQ queues whose lag says how many instances are needed. */
  follows: { kind: string; name: string }[]
}

// Nobody could take these for a value of a variable.
const valueMark = '@value '
const secretMark = '@secret '
const addressMark = '@address '

const platformSecret = `${secretMark}platform`

const platform: Platform = {
  dataFolder: '/data',
  port: ports.http,
  host: '0.0.0.0',
  edge: 'haproxy',
  publicUrl: `${valueMark}publicUrl`,
  logLevel: `${valueMark}logLevel`,
  currency: `${valueMark}currency`,
  // A real shop has a catalogue of its own.
  hasDemoCatalogue: false,
  // A real provider: the sandbox is for one machine.
  stripe: { apiKey: platformSecret, webhookSecret: platformSecret },
  overrides: {},
  secrets: {
    postgresPassword: platformSecret,
    databases: {},
    internalSecret: platformSecret,
    signingKeySecret: platformSecret,
    credentialsKeys: [{ kty: 'OKP', crv: 'X25519', x: '', d: '', kid: '' }],
    orderTokenSecret: platformSecret,
    sessionSecret: platformSecret,
    stripeApiKey: platformSecret,
    stripeWebhookSecret: platformSecret,
    admin: { subjectId: platformSecret, email: platformSecret, password: platformSecret },
  },
  messaging: {
    addresses: {
      amqpUrl: `${secretMark}rabbitmq`,
      kafkaBrokers: `${valueMark}kafka.brokers`,
      redisUrl: `${secretMark}redis`,
    },
    kafkaAccess: {},
  },
}

/** What differs from processes that share a machine. */
const inCluster: Readonly<Record<string, Record<string, string>>> = {
  gateway: {
    TRUSTED_PROXIES: `${valueMark}trustedProxies`,
    // The limits are meant for the internet, and here it is.
    RATE_LIMIT_FACTOR: '1',
  },
}

// Made of more than one secret, so that no mark survives in them.
const madeOfKeys = new Set(['CREDENTIALS_PRIVATE_KEYS', 'CREDENTIALS_PUBLIC_KEY'])
// Of each pod: the template has it from Kubernetes.
const ownOfEachPod = new Set(['INSTANCE_ID'])

const instances: Instance[] = partsOf(platform).map((part) => ({
  part,
  id: part.name,
  ports: Object.fromEntries(part.listens.map((kind) => [kind, ports[kind]])),
}))

function environmentIn(instance: Instance): Record<string, string> {
  const found = environmentOf(instance, platform, {
    instances,
    urlOf: () => `${secretMark}databases`,
    listOf: (part, kind) => `${addressMark}${part} ${kind}`,
  })
  const own = { HOST: '0.0.0.0', ...inCluster[instance.part.name] }
  return Object.fromEntries(
    Object.entries({ ...found, ...own }).filter(([name]) => !ownOfEachPod.has(name)),
  )
}

function toService(instance: Instance): ChartService {
  const { name, database, listens } = instance.part
  const service: ChartService = {
    ...(database === undefined ? {} : { database }),
    ports: listens,
    ...{ environment: {}, values: {}, addresses: {}, secrets: {} },
    calls: expectedCalls()
      .filter(({ from }) => from === name)
      .map(({ to, port }) => ({ service: to, port })),
    calledBy: expectedCalls()
      .filter(({ to }) => to === name)
      .map(({ from, port }) => ({ service: from, port })),
    brokers: brokersOf(name),
    outside: outsideOf(name),
    follows: consumersOf(name),
  }
  for (const [variable, text] of Object.entries(environmentIn(instance))) {
    put(service, variable, text)
  }
  return service
}

function put(service: ChartService, variable: string, text: string): void {
  if (madeOfKeys.has(variable)) {
    service.secrets[variable] = 'platform'
  } else if (text.startsWith(secretMark)) {
    service.secrets[variable] = text.slice(secretMark.length) as SecretSource
  } else if (text.startsWith(valueMark)) {
    service.values[variable] = text.slice(valueMark.length)
  } else if (text.startsWith(addressMark)) {
    const [part = '', port = ''] = text.slice(addressMark.length).split(' ')
    const scheme = port === 'grpc' ? 'dns+grpc' : 'dns+http'
    service.addresses[variable] = { scheme, service: part, port }
  } else {
    service.environment[variable] = text
  }
}

/** The services of the chart, by name, from the topology and the contracts. */
export function chartServices(): Record<string, ChartService> {
  return Object.fromEntries(instances.map((instance) => [instance.part.name, toService(instance)]))
}

/** What the processes would call, going by the addresses they are given. */
export function dialled(services: Record<string, ChartService>): Arrow[] {
  const found = Object.entries(services).flatMap(([from, { addresses }]) =>
    Object.values(addresses).map(({ service: to, port }) => ({ from, to, port })),
  )
  return [...new Map(found.map((arrow) => [JSON.stringify(arrow), arrow])).values()]
}

/** The text of `files/topology.yaml`, over which the templates of the chart go. */
export function chartTopologyFile(): string {
  const content = { ports, services: chartServices() }
  return `# Written by node stack/src/deploy/chart.ts from the topology and the contracts: change those.\n${stringify(content, { aliasDuplicateObjects: false })}`
}
