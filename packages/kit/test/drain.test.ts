import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { createGrpcClient } from '../src/grpc-client.ts'
import { createGrpcServer, grpcService } from '../src/grpc-server.ts'
import { createHttpClient } from '../src/http-client.ts'
import { createHttpServer, type RouteContract } from '../src/http-server.ts'
import { createLameDuck } from '../src/lame-duck.ts'
import { createLifecycle } from '../src/lifecycle.ts'
import { createPolicy } from '../src/policy.ts'
import { eventually, freePort, silentLogger } from '../src/testing.ts'
import type { TokenVerifier } from '../src/tokens.ts'
import { jsonRpc } from './json-rpc.ts'

const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers.reverse()) await close()
})

// As in production, but faster: shorter than the quiet time of the servers.
const probing = { intervalMs: 40, limitMs: 1_000 }
const internalSecret = 'the secret between services'
const logger = silentLogger()

type Things = { createThing: { request: { body: unknown }; reply: { by: string } } }

const createThing: RouteContract = {
  operation: 'createThing',
  service: 'demo',
  method: 'POST',
  path: '/things',
  summary: 'Creates a thing.',
  access: { kind: 'public' },
  body: { type: 'object' },
  responses: { '200': { type: 'object', properties: { by: { type: 'string' } } } },
  rate: 'read',
}

type Demo = { make: { request: { what: string }; reply: { by: string } } }

const definition = { Make: jsonRpc('/halles.demo.v1.Demo/Make', 'make') }

type Ports = { http: number; grpc: number }

/** A service with both edges; a new process of it is a new call. */
async function startService(by: string, ports: Ports, drainQuietMs = 120) {
  const lifecycle = createLifecycle({ logger, drainMs: 10_000 })
  const { isReady } = lifecycle
  const common = { logger, host: '127.0.0.1', isReady, drainQuietMs, internalSecret }
  const http = createHttpServer<Things>({
    ...common,
    service: 'demo',
    routes: { createThing },
    port: ports.http,
    tokens: {} as TokenVerifier,
    policy: createPolicy({ fetchPolicy: async () => ({ roles: [] }), logger }),
  })
  http.on('createThing', async () => ({ by }))
  const grpc = createGrpcServer({
    ...common,
    port: ports.grpc,
    services: [grpcService<Demo>(definition, { make: async () => ({ by }) })],
  })
  lifecycle.add(grpc)
  lifecycle.add(http)
  await lifecycle.start()
  closers.push(() => lifecycle.stop({ isHurried: true }))
  return { lifecycle, http, grpc, ports: { http: http.port(), grpc: grpc.port() } }
}

function clientsOf(all: readonly { ports: Ports }[]) {
  const http = createHttpClient({
    name: 'demo',
    addresses: all.map(({ ports }) => `http://127.0.0.1:${ports.http}`),
    deadlineMs: 10_000,
    probing,
  })
  const grpc = createGrpcClient<Demo>({
    name: 'demo',
    definition,
    addresses: all.map(({ ports }) => `127.0.0.1:${ports.grpc}`),
    internalSecret,
    defaultDeadlineMs: 10_000,
    probing,
  })
  closers.push(http.close, grpc.close)
  return { http, grpc }
}

test('instances restart one after another under load and no call fails', async () => {
  const services = await Promise.all(
    [1, 2].map(async (by) =>
      startService(`${by}`, { http: await freePort(), grpc: await freePort() }),
    ),
  )
  const { http, grpc } = clientsOf(services)
  const stopping = new AbortController()
  const counts = { http: 0, grpc: 0, failures: [] as unknown[] }
  const repeat = async (kind: 'http' | 'grpc', call: () => Promise<{ by?: unknown }>) => {
    while (!stopping.signal.aborted) {
      try {
        assert.ok((await call()).by)
        counts[kind] += 1
      } catch (error) {
        counts.failures.push(error)
      }
    }
  }
  const post = async () => {
    const { status, body } = await http.request({ method: 'POST', path: '/things', body: {} })
    assert.equal(status, 200)
    return body as { by: string }
  }
  const load = [
    ...Array.from({ length: 6 }, () => repeat('http', post)),
    ...Array.from({ length: 3 }, () => repeat('grpc', () => grpc.make({ what: 'tea' }))),
  ]
  const areReady = () =>
    [...http.instances(), ...grpc.instances()].every(({ state }) => state === 'ready')
  for (let round = 0; round < 2; round += 1) {
    for (const [index, service] of services.entries()) {
      const before = { ...counts }
      await service.lifecycle.stop()
      services[index] = await startService(`${round}.${index}`, service.ports)
      await eventually(() => counts.http > before.http + 20 && counts.grpc > before.grpc + 20)
      // As a supervisor does: the next one stops when this one says that it is ready.
      assert.ok(services[index].lifecycle.isReady())
    }
  }
  stopping.abort()
  await Promise.all(load)
  assert.deepEqual(counts.failures, [])
  await eventually(areReady)
})

test('a server that drains says so, serves on, and closes each socket after its answer', async () => {
  const { lifecycle, ports } = await startService('a', { http: 0, grpc: 0 }, 500)
  const ask = (path: string, method = 'GET') =>
    fetch(`http://127.0.0.1:${ports.http}${path}`, { method })
  assert.equal((await ask('/readyz')).status, 200)
  const socket = connect(ports.http, '127.0.0.1')
  await once(socket, 'connect')
  socket.write('POST /things HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n')
  const stopped = lifecycle.stop()
  const draining = await ask('/readyz')
  assert.equal(draining.status, 503)
  assert.equal(((await draining.json()) as { state: string }).state, 'stopping')
  assert.equal(draining.headers.get('connection'), 'close')
  const created = await fetch(`http://127.0.0.1:${ports.http}/things`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  assert.equal(created.status, 200)
  assert.equal(created.headers.get('connection'), 'close')
  socket.end('Content-Type: application/json\r\n\r\n{}')
  const [first] = (await once(socket, 'data')) as [Buffer]
  assert.match(first.toString(), /^HTTP\/1.1 200 .*connection: close/is)
  await stopped
  await assert.rejects(ask('/readyz'))
})

test('a server whose readiness nobody looks at does not wait', async () => {
  let isOver = false
  const lameDuck = createLameDuck({ quietMs: 60_000 })
  const waiting = lameDuck.wait().then(() => {
    isOver = true
  })
  await eventually(() => isOver)
  await waiting
})

test('a wait for quiet begins anew with each request and has an end', async (t) => {
  let nowMs = 0
  t.mock.method(performance, 'now', () => nowMs)
  const lameDuck = createLameDuck({ quietMs: 200 })
  lameDuck.probed()
  let [requests, isOver] = [0, false]
  const many = Promise.withResolvers<void>()
  const busy = setInterval(() => {
    requests += 1
    lameDuck.requested()
    // Longer than the quiet period, several times over.
    if (requests > 100) many.resolve()
  }, 5)
  t.after(() => clearInterval(busy))
  const waiting = lameDuck.wait().then(() => {
    isOver = true
  })
  await many.promise
  assert.equal(isOver, false)
  nowMs = 60_000
  await waiting
})

test('who is in a hurry leaves out the draining', async () => {
  const lifecycle = createLifecycle({ logger, drainMs: 10_000 })
  const steps: string[] = []
  lifecycle.add({
    name: 'http',
    drain: async () => void steps.push(`drain ${lifecycle.isReady()}`),
    stop: async () => void steps.push('stop'),
  })
  await lifecycle.start()
  await lifecycle.stop()
  assert.deepEqual(steps, ['drain false', 'stop'])
  const again = createLifecycle({ logger, drainMs: 10_000 })
  again.add({ name: 'http', drain: () => assert.fail(), stop: async () => void steps.push('stop') })
  await again.start()
  await again.stop({ isHurried: true })
  assert.deepEqual(steps, ['drain false', 'stop', 'stop'])
})
