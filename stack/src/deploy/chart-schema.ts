import { chartServices } from './chart-topology.ts'

type Schema = { readonly [key: string]: unknown }

const boolean: Schema = { type: 'boolean' }
const text: Schema = { type: 'string' }
const name: Schema = { type: 'string', minLength: 1 }
const texts: Schema = { type: 'array', items: name }
const port: Schema = { type: 'integer', minimum: 1, maximum: 65_535 }
const labels: Schema = { type: 'object', additionalProperties: text }
const quantity: Schema = { type: ['string', 'number'], pattern: '^[0-9.]+(m|[KMGT]i?)?$' }
const environment: Schema = {
  type: 'object',
  propertyNames: { pattern: '^[A-Z][A-Z0-9_]*$' },
  additionalProperties: text,
}

function count(minimum: number, maximum: number): Schema {
  return { type: 'integer', minimum, maximum }
}

function oneOf(...words: string[]): Schema {
  return { type: 'string', enum: words }
}

/** Refuses whatever is not named. */
function object(properties: Record<string, Schema>, required: readonly string[] = []): Schema {
  return { type: 'object', additionalProperties: false, properties, required }
}

const selector = object({ matchLabels: labels, matchExpressions: { type: 'array' } })
const peersDefinition: Schema = {
  type: 'array',
  items: {
    ...object({
      podSelector: selector,
      namespaceSelector: selector,
      ipBlock: object({ cidr: name, except: texts }, ['cidr']),
    }),
    minProperties: 1,
  },
}
const peers: Schema = { $ref: '#/definitions/peers' }
const somePeers: Schema = { allOf: [peers, { minItems: 1 }] }
const amounts = object({ cpu: quantity, memory: quantity })
const resources = object({ requests: amounts, limits: amounts })

const settings = {
  // More connections than a PostgreSQL server has would be needed beyond.
  replicas: count(1, 100),
  resources,
  autoscaling: object({
    enabled: boolean,
    minReplicas: count(1, 100),
    maxReplicas: count(1, 100),
    cpuPercent: count(10, 100),
    eventLoopDelayMs: count(0, 1_000),
    lagPerReplica: count(1, 1_000_000),
  }),
  preStopSeconds: count(1, 120),
  startupSeconds: count(10, 3_600),
  env: environment,
  podAnnotations: labels,
  nodeSelector: labels,
  tolerations: { type: 'array', items: { type: 'object' } },
  priorityClassName: text,
} satisfies Record<string, Schema>

const storage = { storage: quantity, storageClass: text }

function whenExisting(required: Schema): Schema {
  return {
    if: { properties: { mode: { const: 'existing' } } },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
    then: { properties: required },
  }
}

/** What `helm` checks values with: whoever misspells one hears of it before anything is changed. */
function valuesSchema(): Schema {
  const services = Object.keys(chartServices())
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $comment: 'Written by node stack/src/deploy/chart.ts: change chart-schema.ts there.',
    definitions: { settings: object(settings), peers: peersDefinition },
    ...object(
      {
        global: { type: 'object' },
        image: object({
          repository: name,
          // A tag that moves would make two pods of one rollout differ.
          tag: { type: 'string', not: { const: 'latest' } },
          digest: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
          pullPolicy: oneOf('IfNotPresent', 'Always', 'Never'),
          pullSecrets: texts,
        }),
        publicUrl: { type: 'string', pattern: '^https?://[^/]+$' },
        currency: { type: 'string', pattern: '^[A-Z]{3}$' },
        logLevel: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
        trustedProxies: texts,
        clusterDomain: name,
        env: environment,
        defaults: { $ref: '#/definitions/settings' },
        services: object(
          Object.fromEntries(services.map((each) => [each, { $ref: '#/definitions/settings' }])),
        ),
        secrets: object({ secretName: name }),
        ...storesSchema(),
        ...networkSchema(),
        migrations: object({
          enabled: boolean,
          deadlineSeconds: count(60, 86_400),
          resources,
        }),
        keda: object({ enabled: boolean, prometheusAddress: text }),
        monitoring: object({ podMonitor: boolean, intervalSeconds: count(5, 300) }),
        telemetry: {
          ...object({ endpoint: text, peers, port }),
          if: { properties: { endpoint: { minLength: 1 } } },
          // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
          then: { properties: { peers: somePeers } },
        },
        topologySpread: object({
          zone: oneOf('ScheduleAnyway', 'DoNotSchedule'),
          node: oneOf('ScheduleAnyway', 'DoNotSchedule'),
        }),
        runAsUser: { type: 'integer', minimum: 1 },
      },
      ['publicUrl', 'kafka', 'networkPolicy'],
    ),
  }
}

function storesSchema(): Record<string, Schema> {
  const mode = oneOf('existing', 'operator')
  return {
    postgres: {
      ...object({
        ...{ mode, secretName: name, peers, port },
        operator: object({ instances: count(1, 9), ...storage, imageName: name }),
      }),
      ...whenExisting({ peers: somePeers }),
    },
    rabbitmq: {
      ...object({
        ...{ mode, secretName: name, peers, port },
        operator: object({ replicas: count(1, 9), ...storage, image: name }),
      }),
      ...whenExisting({ peers: somePeers }),
    },
    kafka: object(
      {
        brokers: { ...texts, minItems: 1 },
        peers: somePeers,
        port,
        tls: object({ enabled: boolean, caKey: text }),
        sasl: object({
          enabled: boolean,
          mechanism: oneOf('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'),
        }),
        secretName: name,
      },
      ['brokers', 'peers'],
    ),
    redis: {
      ...object({ enabled: boolean, secretName: name, peers, port }),
      if: { properties: { enabled: { const: true } } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
      then: { properties: { peers: somePeers } },
    },
  }
}

function networkSchema(): Record<string, Schema> {
  return {
    service: object({
      type: oneOf('ClusterIP', 'NodePort', 'LoadBalancer'),
      port,
      annotations: labels,
      externalTrafficPolicy: oneOf('Local', 'Cluster'),
      loadBalancerSourceRanges: texts,
    }),
    ingress: object({
      enabled: boolean,
      className: text,
      host: text,
      tlsSecretName: text,
      annotations: labels,
    }),
    networkPolicy: object(
      {
        enabled: boolean,
        clients: somePeers,
        metrics: peers,
        dns: somePeers,
        outside: somePeers,
        outsidePort: port,
      },
      ['clients'],
    ),
  }
}

/** The text of `values.schema.json`, as the formatter of the repository writes it. */
export function chartSchemaFile(): string {
  const text = JSON.stringify(valuesSchema(), null, 2)
  return `${text.replaceAll(/^(.*)\[\n([^[\]{}]*)\](,?)$/gm, toOneLine)}\n`
}

/** A list of words that fits into a line. */
function toOneLine(whole: string, start: string, items: string, end: string): string {
  const line = `${start}[${items.trim().replaceAll(/\n\s*/g, ' ')}]${end}`
  return line.length <= 100 ? line : whole
}
