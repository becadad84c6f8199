import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { publicRoutes } from '@halles/contracts/gen/routing'
import { AppError } from '@halles/kit/errors'
import { createMetrics } from '@halles/kit/metrics'
import { silentLogger } from '@halles/kit/testing'
import { createMatcher } from '../src/match.ts'
import { createPageTest } from '../src/pipeline/page-path.ts'
import { createPipeline, type PipelineDeps } from '../src/pipeline.ts'
import type { Upstream } from '../src/upstream.ts'

type Trail = { steps: string[]; stopAt?: string }

/** A pipeline whose steps write down that they were taken. */
function aPipeline(trail: Trail, held: ReadonlySet<string> = new Set()) {
  const take = (step: string) => {
    trail.steps.push(step)
    if (trail.stopAt === step) throw new AppError('forbidden', 'FORBIDDEN', 'Stopped here.')
  }
  const upstream = (service: string) =>
    ({
      service,
      send: async ({ target }, sink) => {
        take(`${service} ${target}`)
        sink.onHead(200, { 'content-type': 'text/plain' })
      },
    }) as Partial<Upstream> as Upstream
  const match = createMatcher(publicRoutes)
  const answer = {
    ...{ body: Buffer.from('held'), contentType: 'text/plain', etag: '"x"', tags: [] },
    ...{ storedAtMs: 0, freshUntilMs: 0, staleUntilMs: 0, errorUntilMs: 0 },
  }
  return createPipeline({
    readClient: () => {
      take('client')
      return { address: '::1', bucket: '::1', protocol: 'http' }
    },
    checkDoor: () => take('door'),
    cors: { headersOf: () => [], preflight: () => undefined },
    match: (method: string, target: string) => {
      take('match')
      return match(method, target)
    },
    shed: (shedClass: string) => take(`shed ${shedClass}`),
    limitRate: (_exchange: unknown, rateClass: string) => {
      take(`limit ${rateClass}`)
      return undefined
    },
    tokens: {
      recall: () => undefined,
      verify: async () => {
        take('authenticate')
        return { subjectId: 'a', sessionId: 's', roles: [] }
      },
    },
    policy: { require: (_caller: unknown, permission: string) => take(`authorize ${permission}`) },
    audit: {
      record: async ({ action, target }: { action: string; target: string }) =>
        take(`audit ${action} ${target}`),
    },
    catalogue: {
      find: (key: string) => {
        take('cache')
        return held.has(key) ? { kind: 'hit', answer } : undefined
      },
      fetch: async (_key: string, _rule: unknown, fetch: () => Promise<unknown>) => {
        take('collapse')
        return { kind: 'uncacheable', answer: await fetch() }
      },
    },
    upstreams: new Map(
      ['products', 'carts', 'auth', 'payments'].map((service) => [service, upstream(service)]),
    ),
    web: { upstream: upstream('web'), isPage: createPageTest(publicRoutes), deadlineMs: 1_000 },
    isReady: () => true,
    closing: new AbortController().signal,
    metrics: createMetrics({ service: 'gateway' }),
    logger: silentLogger(),
  } as unknown as PipelineDeps)
}

async function serve(t: TestContext, pipeline: ReturnType<typeof aPipeline>): Promise<string> {
  const server = createServer((request, response) =>
    pipeline(request, response, () => response.writeHead(204).end()),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const authorization = 'Bearer x'
const ways: readonly [string, string, RequestInit, readonly string[]][] = [
  [
    'a catalogue answer that is held',
    '/api/v1/products?q=tea',
    {},
    ['client', 'door', 'match', 'shed cached', 'limit read', 'cache'],
  ],
  [
    'a catalogue answer that is not held',
    '/api/v1/products?q=milk',
    {},
    [
      ...['client', 'door', 'match', 'shed cached', 'limit read', 'cache', 'shed read', 'collapse'],
      'products /api/v1/products?q=milk',
    ],
  ],
  [
    'a sign-in',
    '/api/v1/sessions',
    { method: 'POST', body: '{}' },
    ['client', 'door', 'match', 'shed sign-in', 'limit sign-in', 'auth /api/v1/sessions'],
  ],
  [
    'what the audit log has to know before',
    '/api/v1/payments/events/evt_1/replay',
    { method: 'POST', headers: { authorization } },
    [
      ...['client', 'door', 'match', 'shed operator', 'limit write', 'authenticate'],
      'authorize system:write',
      'audit provider-event-replay payments/events/evt_1/replay',
      'payments /api/v1/payments/events/evt_1/replay',
    ],
  ],
  [
    'what needs a permission',
    '/api/v1/variants/v/price',
    { method: 'PUT', body: '{}', headers: { authorization } },
    [
      ...['client', 'door', 'match', 'shed operator', 'limit write', 'authenticate'],
      ...['authorize products:write', 'products /api/v1/variants/v/price'],
    ],
  ],
  ['a page', '/cart', {}, ['client', 'door', 'shed page', 'limit page', 'web /cart']],
  ['a route of its own', '/docs', {}, ['client', 'door', 'match', 'shed page', 'limit page']],
  ['a probe', '/readyz', {}, ['client', 'door', 'match']],
]

for (const [what, path, init, steps] of ways) {
  test(`${what} goes through its steps in their order`, async (t) => {
    const trail: Trail = { steps: [] }
    const url = await serve(t, aPipeline(trail, new Set(['/api/v1/products?q=tea'])))
    const answer = await fetch(url + path, init)
    assert.ok(answer.ok, `${answer.status}`)
    assert.deepEqual(trail.steps, steps)
  })

  test(`${what} that is refused at a step goes no further`, async (t) => {
    // The first step only tells who it is.
    for (const [index, stopAt] of steps.entries()) {
      if (index === 0) continue
      const trail: Trail = { steps: [], stopAt }
      const url = await serve(t, aPipeline(trail, new Set(['/api/v1/products?q=tea'])))
      const answer = await fetch(url + path, init)
      assert.equal(answer.status, 403, stopAt)
      assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8')
      assert.match(answer.headers.get('x-request-id') ?? '', /^[0-9a-f]{32}$/)
      assert.deepEqual(trail.steps, steps.slice(0, index + 1))
    }
  })
}
