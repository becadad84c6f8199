import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { AppError } from '../src/errors.ts'
import { createHttpClient } from '../src/http-client.ts'
import { createHttpServer } from '../src/http-server.ts'
import { createInternalCheck, internalAuthorization } from '../src/internal-secret.ts'
import { createLogger } from '../src/logging.ts'
import { createHandlerMeter } from '../src/messaging/meter.ts'
import { createMetrics, startMetricsServer } from '../src/metrics.ts'
import { freePort, silentLogger } from '../src/testing.ts'
import { createVitals, type VitalsReport, vitalsPath } from '../src/vitals.ts'
import { percentile95Ms } from '../src/vitals-requests.ts'

function createParts() {
  const metrics = createMetrics({ service: 'carts' })
  const isReady = () => true
  return {
    metrics,
    vitals: createVitals({ service: 'carts', instance: 'carts-1', metrics, isReady }),
  }
}

test('a process says who it is and what it takes', async () => {
  const { vitals } = createParts()
  const report = await vitals.read()
  assert.deepEqual(
    [report.service, report.instance, report.pid, report.isReady],
    ['carts', 'carts-1', process.pid, true],
  )
  assert.ok(report.memoryBytes > 1_000_000 && report.cpuSeconds > 0 && report.uptimeSeconds > 0)
  assert.ok(report.eventLoopDelayMs >= 0)
  assert.ok(Date.parse(report.startedAt) <= Date.now())
  assert.equal((await vitals.read()).startedAt, report.startedAt)
})

test('requests of all routes are added up, and those of who watches are left out', async () => {
  const { metrics, vitals } = createParts()
  metrics.observeHttp('/carts', 'GET', 200, 0.004)
  metrics.observeHttp('/carts', 'POST', 404, 0.004)
  metrics.observeHttp('/orders', 'POST', 503, 20)
  metrics.observeHttp('/readyz', 'GET', 503, 0.001)
  metrics.observeHttp(vitalsPath, 'GET', 200, 0.001)
  metrics.observeGrpc('server', '/halles.carts.v1.CartsService/GetCart', 'INTERNAL', 0.02)
  metrics.observeGrpc('server', '/halles.carts.v1.CartsService/GetCart', 'NOT_FOUND', 0.02)
  metrics.observeGrpc('client', '/halles.orders.v1.OrdersService/Settle', 'OK', 0.02)
  const { requests } = await vitals.read()
  assert.deepEqual([requests.count, requests.failures], [5, 2])
  assert.deepEqual(
    new Set(requests.routes.map(({ route, count, failures }) => `${route} ${count} ${failures}`)),
    new Set(['/carts 2 0', '/orders 1 1', '/halles.carts.v1.CartsService/GetCart 2 1']),
  )
  assert.equal(
    requests.durations.reduce((sum, each) => sum + each, 0),
    requests.count,
  )
  assert.equal(requests.durations.at(-1), 1)
})

test('the slowest requests but one in twenty tell how slow it is', () => {
  const fast = [100, ...Array.from({ length: 13 }, () => 0)]
  assert.ok((percentile95Ms(fast) ?? 99) <= 1)
  const slow = [90, 0, 0, 0, 0, 0, 0, 0, 10]
  const found = percentile95Ms(slow)
  assert.ok(found !== undefined && found > 250 && found <= 500)
  assert.equal(percentile95Ms([0, 0]), undefined)
})

test('calls of others are counted with those that failed, also while nobody is there', async (t) => {
  const { metrics, vitals } = createParts()
  const port = await freePort()
  const client = createHttpClient({
    ...{ name: 'orders', addresses: [`http://127.0.0.1:${port}`], deadlineMs: 1_000, metrics },
  })
  t.after(() => client.close())
  const ask = () => client.request({ method: 'POST', path: '/x' })
  await assert.rejects(ask)
  const server = createServer((_request, reply) => reply.writeHead(404).end())
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const failed = (await vitals.read()).upstreams[0]
  assert.equal(failed?.service, 'orders')
  assert.ok(failed.failures > 0 && failed.failures === failed.calls)
  assert.equal(failed.kind, 'http')
  const fresh = createHttpClient({
    ...{ name: 'carts', addresses: [`http://127.0.0.1:${port}`], deadlineMs: 5_000, metrics },
  })
  t.after(() => fresh.close())
  assert.equal((await fresh.request({ method: 'POST', path: '/x' })).status, 404)
  const { upstreams } = await vitals.read()
  assert.deepEqual(
    upstreams.filter(({ service }) => service === 'carts'),
    [{ service: 'carts', kind: 'http', calls: 1, failures: 0, waiting: 0, breaker: 'closed' }],
  )
  assert.match(
    await metrics.registry.metrics(),
    /upstream_calls_total\{upstream="carts",service="carts"\} 1/,
  )
})

test('tries at messages are counted by where they came from', async () => {
  const { metrics, vitals } = createParts()
  const measured = createHandlerMeter(metrics)
  const delivery = { message: {}, attempt: 1, signal: new AbortController().signal } as never
  await measured('orders.events.v1', async () => undefined)(delivery)
  await assert.rejects(
    measured('orders.events.v1', async () => {
      throw new Error('no')
    })(delivery),
  )
  assert.deepEqual((await vitals.read()).handled, [
    { source: 'orders.events.v1', done: 1, failed: 1 },
  ])
})

test('pools, outbox and what a service tells besides are in the account', async () => {
  const { vitals } = createParts()
  assert.equal('outbox' in (await vitals.read()), false)
  const pool = { totalCount: 3, idleCount: 1, waitingCount: 4, options: { max: 5 } }
  vitals.addDatabase('carts', pool)
  vitals.setOutbox(async () => ({ rows: 7, oldestAgeSeconds: 2.5 }))
  vitals.addFigures('cache', () => ({ hits: 9 }))
  const report = await vitals.read()
  assert.deepEqual(report.databases, [{ name: 'carts', size: 5, open: 3, busy: 2, waiting: 4 }])
  assert.deepEqual(report.outbox, { waiting: 7, oldestSeconds: 2.5 })
  assert.deepEqual(report.figures, { cache: { hits: 9 } })
})

test('a database that does not answer holds nobody up and is asked once', async () => {
  const { vitals } = createParts()
  let asked = 0
  vitals.setOutbox(() => {
    asked += 1
    return new Promise(() => undefined)
  })
  assert.equal((await vitals.read()).outbox, undefined)
  assert.equal((await vitals.read()).outbox, undefined)
  assert.equal(asked, 1)
  vitals.setOutbox(() => Promise.reject(new Error('away')))
  assert.equal((await vitals.read()).outbox, undefined)
})

test('the last errors and warnings are kept as code and our own words, never as data', async () => {
  const { vitals } = createParts()
  const destination = new Writable({ write: (_chunk, _encoding, done) => done() })
  const logger = createLogger({
    ...{ service: 'carts', instance: 'carts-1', level: 'info', destination },
    onProblem: vitals.note,
  })
  logger.info({ email: 'odette@example.org' }, 'All is well.')
  logger.warn({ code: 'UPSTREAM_TIMEOUT', email: 'odette@example.org' }, 'It took too long.')
  const error = new AppError('conflict', 'CART_GONE', 'The cart of odette@example.org is gone.')
  logger.child({ name: 'Odette' }).error({ error }, 'It failed.')
  logger.error({ code: 'odette@example.org' }, 'A code that is none.')
  const { problems } = await vitals.read()
  assert.deepEqual(
    problems.map(({ level, code, message }) => [level, code, message]),
    [
      ['warn', 'UPSTREAM_TIMEOUT', 'It took too long.'],
      ['error', 'CART_GONE', 'It failed.'],
      ['error', undefined, 'A code that is none.'],
    ],
  )
  assert.doesNotMatch(JSON.stringify(problems), /odette/i)
  for (let count = 0; count < 30; count += 1) logger.warn(`number ${count}`)
  const kept = (await vitals.read()).problems
  assert.deepEqual([kept.length, kept.at(-1)?.message], [20, 'number 29'])
})

describe('the account is told to holders of the internal secret alone', () => {
  const secret = 'x'.repeat(32)
  const { metrics, vitals } = createParts()
  const server = createHttpServer({
    ...{ service: 'carts', routes: {}, host: '127.0.0.1', port: 0, logger: silentLogger() },
    ...{ metrics, isReady: () => true, internalSecret: secret, readVitals: vitals.read },
  })
  let metricsServer: Awaited<ReturnType<typeof startMetricsServer>>

  before(async () => {
    await server.start()
    metricsServer = await startMetricsServer({
      ...{ metrics, host: '127.0.0.1', port: 0 },
      internal: {
        check: createInternalCheck(secret),
        documents: new Map([[vitalsPath, vitals.read]]),
      },
    })
  })
  after(() => Promise.all([server.stop(), metricsServer.stop()]))

  for (const where of ['its HTTP server', 'its metrics server']) {
    test(`by ${where}`, async () => {
      const port = where === 'its HTTP server' ? server.port() : metricsServer.port
      const url = `http://127.0.0.1:${port}${vitalsPath}`
      const authorization = internalAuthorization(secret)
      const answer = await fetch(url, { headers: { authorization } })
      assert.equal(answer.status, 200)
      assert.equal(((await answer.json()) as VitalsReport).instance, 'carts-1')
      for (const wrong of [{}, { authorization: 'Internal nobody' }]) {
        const refused = await fetch(url, { headers: wrong as Record<string, string> })
        assert.equal(refused.status, 401)
        assert.doesNotMatch(await refused.text(), /uptime/)
      }
    })
  }

  test('and a target that is none harms nobody', async () => {
    const { port } = metricsServer
    const socket = connect(port, '127.0.0.1')
    socket.write('GET // HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    let text = ''
    for await (const chunk of socket) text += chunk
    assert.match(text, /^HTTP\/1\.1 404/)
  })
})
