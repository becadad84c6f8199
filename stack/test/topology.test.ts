import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createOpeningKey, publicPart } from '@halles/kit/sealing-keys'
import { choosePorts } from '../src/free-ports.ts'
import {
  environmentOf,
  type Instance,
  type Platform,
  parts,
  planInstances,
} from '../src/topology.ts'

const [newKey, oldKey] = [createOpeningKey(), createOpeningKey()]
const platform: Platform = {
  dataFolder: '/data',
  port: 8080,
  host: '0.0.0.0',
  publicUrl: 'http://localhost:8080',
  logLevel: 'info',
  currency: 'EUR',
  hasDemoCatalogue: true,
  stripe: undefined,
  overrides: { HALLES_STRIPE_SANDBOX_RETRY_SCHEDULE_MS: '10,20', HALLES_DATA: '/data' },
  secrets: {
    postgresPassword: 'postgres-password',
    databases: {},
    internalSecret: 'internal-secret',
    signingKeySecret: 'signing-secret',
    credentialsKeys: [newKey, oldKey],
    orderTokenSecret: 'order-secret',
    sessionSecret: 'session-secret',
    stripeApiKey: 'sk_test_1',
    stripeWebhookSecret: 'whsec_1',
    admin: { subjectId: 'subject', email: 'admin@halles.example', password: 'admin-password' },
  },
}

async function environments(given: Platform, replicas: Record<string, number>) {
  const planned = planInstances(given, replicas)
  const ports = await choosePorts(
    planned.flatMap(({ portNames }) => portNames),
    {},
  )
  const instances: Instance[] = planned.map(({ part, id }) => ({
    part,
    id,
    ports: Object.fromEntries(part.listens.map((kind) => [kind, ports[`${id}.${kind}`] ?? 0])),
  }))
  const urlOf = (database: string, role: string) => `postgres://${role}@127.0.0.1/${database}`
  return new Map(
    instances.map((each) => [each.id, environmentOf(each, given, { instances, urlOf })]),
  )
}

test('every part has a source, and no two instances share a port', async () => {
  for (const { entry } of parts) {
    assert.ok(existsSync(join(import.meta.dirname, '../..', entry)), `${entry} is missing`)
  }
  const all = await environments(platform, { auth: 3, gateway: 2 })
  const ports = [...all.values()]
    .flatMap((env) => [env.PORT, env.GRPC_PORT, env.METRICS_PORT])
    .filter((port) => port !== undefined && port !== '8080')
  assert.equal(new Set(ports).size, ports.length)
})

test('callers learn the addresses of every replica, and only the gateway leaves loopback', async () => {
  const all = await environments(platform, { auth: 2, carts: 2, gateway: 2 })
  const authPorts = ['auth-1', 'auth-2'].map((id) => all.get(id)?.PORT)
  const gateway = all.get('gateway-2')
  assert.equal(gateway?.AUTH_URLS, authPorts.map((port) => `http://127.0.0.1:${port}`).join(','))
  assert.equal(
    all.get('carts-1')?.JWKS_URLS,
    authPorts.map((port) => `http://127.0.0.1:${port}/.well-known/jwks.json`).join(','),
  )
  assert.equal(
    all.get('orders-1')?.CARTS_GRPC,
    ['carts-1', 'carts-2'].map((id) => `127.0.0.1:${all.get(id)?.GRPC_PORT}`).join(','),
  )
  assert.equal(gateway?.REUSE_PORT, 'true')
  const outside = [...all].filter(([, env]) => env.HOST !== '127.0.0.1').map(([id]) => id)
  assert.deepEqual(outside, ['gateway-1', 'gateway-2'])
})

test('a secret reaches only the parts that need it', async () => {
  const all = await environments(platform, {})
  const holders = (secret: string) =>
    [...all]
      .filter(([, env]) => Object.values(env).some((value) => value.includes(secret)))
      .map(([id]) => id)
  assert.deepEqual(holders('postgres-password'), [])
  assert.deepEqual(holders('admin-password'), ['customers-1'])
  assert.deepEqual(holders('signing-secret'), ['auth-1'])
  for (const { d } of [newKey, oldKey]) assert.deepEqual(holders(d), ['auth-1'])
  const { CREDENTIALS_PUBLIC_KEY = '' } = all.get('customers-1') ?? {}
  assert.deepEqual(JSON.parse(CREDENTIALS_PUBLIC_KEY), publicPart(newKey))
  assert.deepEqual(holders('order-secret'), ['orders-1'])
  assert.deepEqual(holders('session-secret'), ['web-1'])
  assert.deepEqual(holders('sk_test_1'), ['stripe-sandbox-1', 'payments-1'])
  assert.deepEqual(holders('/users'), ['customers-1'])
})

test('with keys of the real provider there is no sandbox', async () => {
  const stripe = { apiKey: 'sk_live_x', webhookSecret: 'whsec_x' }
  const all = await environments({ ...platform, stripe }, {})
  assert.equal(all.has('stripe-sandbox-1'), false)
  assert.equal(all.get('payments-1')?.STRIPE_API_KEY, 'sk_live_x')
  assert.equal(all.get('payments-1')?.STRIPE_API_BASE, undefined)
})

test('a setting of one part can be given from outside', async () => {
  const all = await environments(platform, {})
  assert.equal(all.get('stripe-sandbox-1')?.RETRY_SCHEDULE_MS, '10,20')
  assert.equal(all.get('auth-1')?.RETRY_SCHEDULE_MS, undefined)
})
