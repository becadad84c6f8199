import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { AppError } from '../src/errors.ts'
import { createGrpcClient } from '../src/grpc-client.ts'
import { createGrpcServer, grpcService } from '../src/grpc-server.ts'
import { createHttpClient } from '../src/http-client.ts'
import { createHttpServer, type HttpRequest, type RouteContract } from '../src/http-server.ts'
import { createPolicy } from '../src/policy.ts'
import { annotate, createTracer, type Span } from '../src/spans.ts'
import { eventually, silentLogger } from '../src/testing.ts'
import { newTrace, runWithContext, type Trace } from '../src/trace.ts'
import { jsonRpc } from './json-rpc.ts'

const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers.reverse()) await close()
})

const spans: Span[] = []
const tracer = createTracer({ ratio: 1, record: (span) => spans.push(span) })
const logger = silentLogger()
const internalSecret = 'the secret between services'

/** The two sides of a call that is made below a span, as soon as both are told. */
async function sidesOf(work: () => Promise<unknown>): Promise<{ trace: Trace; sides: Span[] }> {
  const trace = newTrace()
  await runWithContext({ trace, tracer }, work)
  const sides = await eventually(() => {
    const own = spans.filter((span) => span.trace.traceId === trace.traceId)
    assert.equal(own.length, 2)
    return own.sort((a) => (a.kind === 'client' ? -1 : 1))
  })
  return { trace, sides }
}

function assertBelow({ trace, sides: [client, server] }: { trace: Trace; sides: Span[] }): void {
  assert.deepEqual([client?.kind, server?.kind], ['client', 'server'])
  assert.equal(client?.trace.parentSpanId, trace.spanId)
  assert.equal(server?.trace.parentSpanId, client?.trace.spanId)
}

const getCart: RouteContract = {
  operation: 'getCart',
  service: 'demo',
  method: 'GET',
  path: '/carts/{cartId}',
  summary: 'A cart.',
  access: { kind: 'public' },
  query: { type: 'object', properties: { token: { type: 'string' } } },
  responses: { '200': {} },
  rate: 'read',
}

async function anHttpPair() {
  const server = createHttpServer<{ getCart: { params: { cartId: string } } & Other }>({
    service: 'demo',
    host: '127.0.0.1',
    port: 0,
    routes: { getCart },
    isReady: () => true,
    logger,
    tracer,
    policy: createPolicy({ fetchPolicy: async () => ({ roles: [] }), logger }),
    tokens: { verify: () => Promise.reject(new Error('Nobody signs in.')) } as never,
  })
  server.on(
    'getCart',
    async ({ params: { cartId } }: HttpRequest<Other & { params: { cartId: string } }>) => {
      annotate('halles.payment.id', 'p-1')
      if (cartId === 'broken') throw new Error('of odette@example.com')
      return {}
    },
  )
  await server.start()
  const address = `127.0.0.1:${server.port()}`
  const client = createHttpClient({
    name: 'carts',
    addresses: [`http://${address}`],
    deadlineMs: 5_000,
  })
  closers.push(
    () => server.stop(),
    () => client.close(),
  )
  return { client, address }
}
type Other = { query: unknown; body: unknown; reply: unknown; headers: unknown; caller: undefined }

test('a request has a span on both sides, by its route and never by its path', async () => {
  const { client, address } = await anHttpPair()
  const ask = (path: string) => sidesOf(() => client.request({ method: 'GET', path }))
  const well = await ask('/carts/7e57?token=hush')
  assertBelow(well)
  const [asking, serving] = well.sides
  assert.equal(serving?.name, 'GET /carts/{cartId}')
  assert.deepEqual(serving?.attributes, {
    'http.request.method': 'GET',
    'http.route': '/carts/{cartId}',
    'http.response.status_code': 200,
    'halles.payment.id': 'p-1',
  })
  assert.equal(asking?.attributes['service.peer.name'], 'carts')
  const { 'server.address': host, 'server.port': port } = asking?.attributes ?? {}
  assert.equal(`${host}:${port}`, address)
  const broken = await ask('/carts/broken')
  assertBelow(broken)
  assert.deepEqual(
    broken.sides.map(({ errorType }) => errorType),
    ['500', '500'],
  )
  assert.ok(!/7e57|hush|odette/.test(JSON.stringify(spans)))
})

test('probes and paths that are nobody’s are not told', async () => {
  const { client } = await anHttpPair()
  const trace = newTrace()
  for (const path of ['/readyz', '/healthz', '/nowhere']) {
    await runWithContext({ trace }, () => client.request({ method: 'GET', path }))
  }
  // The next request on the same server is told after them.
  await sidesOf(() => client.request({ method: 'GET', path: '/carts/1' }))
  assert.ok(spans.every((span) => span.trace.traceId !== trace.traceId))
})

test('a gRPC call has a span on both sides; what is refused is an error of the caller alone', async () => {
  type Demo = { reserveStock: { request: { what: string }; reply: { said: string } } }
  const definition = { ReserveStock: jsonRpc('/halles.demo.v1.Demo/ReserveStock', 'reserveStock') }
  const handlers = {
    async reserveStock({ what }: { what: string }) {
      if (what === 'none') throw new AppError('conflict', 'OUT_OF_STOCK', 'Only 2 are left.')
      return { said: what }
    },
  }
  const common = { internalSecret, logger }
  const services = [grpcService<Demo>(definition, handlers)]
  const server = createGrpcServer({ ...common, host: '127.0.0.1', port: 0, tracer, services })
  await server.start()
  const addresses = [`127.0.0.1:${server.port()}`]
  const own = { definition, addresses, name: 'products', defaultDeadlineMs: 5_000 }
  const client = createGrpcClient<Demo>({ ...common, ...own })
  closers.push(
    () => server.stop(),
    () => client.close(),
  )
  const well = await sidesOf(() => client.reserveStock({ what: 'tea' }))
  assertBelow(well)
  assert.deepEqual(
    well.sides.map(({ name }) => name),
    ['halles.demo.v1.Demo/ReserveStock', 'halles.demo.v1.Demo/ReserveStock'],
  )
  const refused = await sidesOf(() =>
    assert.rejects(client.reserveStock({ what: 'none' }), { code: 'OUT_OF_STOCK' }),
  )
  assertBelow(refused)
  const [asking, serving] = refused.sides
  assert.equal(asking?.errorType, asking?.attributes['rpc.response.status_code'])
  assert.notEqual(asking?.errorType, 'OK')
  assert.equal(serving?.errorType, undefined)
})
