import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createOpeningKey, publicPart } from '@halles/kit/sealing-keys'
import { discoveryUrl } from '../src/discovery-files.ts'
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

async function environments(
  given: Platform,
  replicas: Record<string, number>,
  listOf?: (part: string, kind: string) => string,
) {
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
    instances.map((each) => {
      const context = { instances, urlOf, ...(listOf && { listOf }) }
      return [each.id, environmentOf(each, given, context)] as const
    }),
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
  const authUrls = ['auth-1', 'auth-2'].map((id) => `http://127.0.0.1:${all.get(id)?.PORT}`)
  const gateway = all.get('gateway-2')
  assert.equal(gateway?.AUTH_URLS, authUrls.join(','))
  assert.equal(all.get('carts-1')?.JWKS_URLS, authUrls.join(','))
  assert.equal(
    all.get('orders-1')?.CARTS_GRPC,
    ['carts-1', 'carts-2'].map((id) => `127.0.0.1:${all.get(id)?.GRPC_PORT}`).join(','),
  )
  assert.equal(gateway?.REUSE_PORT, 'true')
  const outside = [...all].filter(([, env]) => env.HOST !== '127.0.0.1').map(([id]) => id)
  assert.deepEqual(outside, ['gateway-1', 'gateway-2'])
})

test('where instances come and go, callers are told where the list of them is', async () => {
  const listOf = (part: string, kind: string) => `file:///lists/${part}.${kind}.json`
  const all = await environments(platform, { carts: 2 }, listOf)
  assert.equal(all.get('gateway-1')?.CARTS_URLS, 'file:///lists/carts.http.json')
  assert.equal(all.get('orders-1')?.CARTS_GRPC, 'file:///lists/carts.grpc.json')
  assert.equal(all.get('orders-1')?.JWKS_URLS, 'file:///lists/auth.http.json')
  const url = discoveryUrl('/data, of mine', 'carts', 'http')
  assert.equal(url, 'file:///data%2C%20of%20mine/discovery/carts.http.json')
})

test('behind HAProxy gateways have ports of their own on loopback; they believe this machine alone', async () => {
  const all = await environments({ ...platform, edge: 'haproxy' }, { gateway: 2 })
  const gateways = ['gateway-1', 'gateway-2'].map((id) => all.get(id))
  for (const gateway of gateways) {
    assert.equal(gateway?.HOST, '127.0.0.1')
    assert.equal(gateway?.REUSE_PORT, undefined)
    assert.equal(gateway?.TRUSTED_PROXIES, '127.0.0.1')
  }
  const ports = new Set(['8080', ...gateways.map((gateway) => gateway?.PORT)])
  assert.equal(ports.size, 3)
  const shared = await environments(platform, { gateway: 2 })
  // The web server is there too, and tells whom it speaks for.
  assert.equal(shared.get('gateway-1')?.TRUSTED_PROXIES, '127.0.0.1')
  const webhooks = all.get('stripe-sandbox-1')?.WEBHOOK_URL
  assert.equal(webhooks, 'http://127.0.0.1:8080/api/v1/webhooks/stripe')
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

test('gateways of a local stack find each other and their stack, nobody else does', async () => {
  const listOf = (part: string, kind: string) => `file:///lists/${part}.${kind}.json`
  const planned = planInstances(platform, { gateway: 2 })
  const instances: Instance[] = planned.map(({ part, id }) => ({ part, id, ports: {} }))
  const urlOf = () => 'postgres://'
  for (const instance of instances) {
    const local = { instances, urlOf, listOf, control: '/data/control.sock' }
    const { GATEWAY_METRICS_URLS: others, STACK_CONTROL: control } = environmentOf(
      instance,
      platform,
      local,
    )
    const isGateway = instance.part.name === 'gateway'
    const expected = isGateway ? ['file:///lists/gateway.metrics.json', '/data/control.sock'] : []
    assert.deepEqual([others, control].filter(Boolean), expected)
    assert.equal('STACK_CONTROL' in environmentOf(instance, platform, { instances, urlOf }), false)
  }
})
