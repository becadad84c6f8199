import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publicPart } from '@halles/kit/sealing-keys'
import { loadSecrets, type Secrets } from './secrets.ts'
import { databasePlans, databaseRoles } from './topology.ts'

/** The brokers of containers. */
export const brokers = { queues: 'rabbitmq', topics: 'kafka' } as const

const prefix = 'file in secrets/: '

/** Stands for the content of a file in `secrets/` wherever the topology gives a service its secret. */
const fileNamed = (name: string) => `${prefix}${name}`

/** The file's name, where the value stands for one. */
export function fileOf(value: string): string | undefined {
  return value.startsWith(prefix) ? value.slice(prefix.length) : undefined
}

/** The file with the address of a role's database. */
export const databaseFile = (role: string) => `database-url-${role}`

export const databaseReference = (role: string) => fileNamed(databaseFile(role))

export const brokerReferences = { amqpUrl: fileNamed('amqp-url'), redisUrl: fileNamed('redis-url') }

/** Given as they are to the one service that needs each. */
export const keyReferences: Readonly<Record<string, string>> = {
  CREDENTIALS_PRIVATE_KEYS: fileNamed('credentials-private-keys'),
  CREDENTIALS_PUBLIC_KEY: fileNamed('credentials-public-key'),
}

/** Secrets whose values are the names of files. */
export const references: Secrets = {
  postgresPassword: fileNamed('postgres-password'),
  databases: {},
  internalSecret: fileNamed('internal-secret'),
  signingKeySecret: fileNamed('signing-key-secret'),
  credentialsKeys: [{ kty: 'OKP', crv: 'X25519', x: '', d: '', kid: '' }],
  orderTokenSecret: fileNamed('order-token-secret'),
  sessionSecret: fileNamed('session-secret'),
  stripeApiKey: fileNamed('stripe-api-key'),
  stripeWebhookSecret: fileNamed('stripe-webhook-secret'),
  admin: {
    subjectId: fileNamed('admin-subject-id'),
    email: fileNamed('admin-email'),
    password: fileNamed('admin-password'),
  },
}

/** New contents of every file in `secrets/`, by its name. */
export function composeSecrets(): Record<string, string> {
  const temporary = mkdtempSync(join(tmpdir(), 'halles-compose-'))
  try {
    const secrets = loadSecrets(temporary, databaseRoles)
    const random = () => randomBytes(24).toString('base64url')
    const [rabbitmq, redis] = [random(), random()]
    const databases = databasePlans(secrets, brokers).map(({ database, role, password }) => [
      databaseFile(role),
      `postgres://${role}:${password}@postgres:5432/${database}`,
    ])
    const [newest] = secrets.credentialsKeys.map(publicPart)
    return {
      'postgres-password': secrets.postgresPassword,
      ...Object.fromEntries(databases),
      'rabbitmq.conf': `default_user = halles\ndefault_pass = ${rabbitmq}`,
      'amqp-url': `amqp://halles:${rabbitmq}@rabbitmq:5672`,
      'redis.conf': `requirepass ${redis}`,
      'redis-url': `redis://:${redis}@redis:6379`,
      'internal-secret': secrets.internalSecret,
      'signing-key-secret': secrets.signingKeySecret,
      'credentials-private-keys': JSON.stringify(secrets.credentialsKeys),
      'credentials-public-key': JSON.stringify(newest),
      'order-token-secret': secrets.orderTokenSecret,
      'session-secret': secrets.sessionSecret,
      'stripe-api-key': secrets.stripeApiKey,
      'stripe-webhook-secret': secrets.stripeWebhookSecret,
      'admin-subject-id': secrets.admin.subjectId,
      'admin-email': secrets.admin.email,
      'admin-password': secrets.admin.password,
      'grafana-password': random(),
    }
  } finally {
    rmSync(temporary, { recursive: true })
  }
}
