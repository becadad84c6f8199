import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type PublicRoute, publicRoutes, type ShedClass } from '@halles/contracts/gen/routing'
import type { Found } from '../../src/catalogue-cache.ts'
import { createMatcher } from '../../src/match.ts'
import { startDeadline } from '../../src/pipeline/deadline.ts'
import {
  answerFromCache,
  answerFromService,
  isCacheable,
  type RouteDeps,
} from '../../src/pipeline/route.ts'
import { anExchange, anUpstream, serveStep } from './exchange.ts'

const match = createMatcher(publicRoutes)

function matchOf(method: string, target: string) {
  const found = match(method, target)
  if (!found) throw new Error(`Nobody serves ${target}.`)
  return found
}

test('reads of the catalogue may be answered from the cache, and nothing else', () => {
  const may = (method: string, target: string) =>
    isCacheable(anExchange({ method }), matchOf(method, target))
  assert.equal(may('GET', '/api/v1/products?q=tea'), true)
  assert.equal(may('HEAD', '/api/v1/products/tea'), true)
  assert.equal(may('GET', '/api/v1/products?unknown=1'), false)
  assert.equal(may('GET', '/api/v1/carts/current'), false)
  assert.equal(may('POST', '/api/v1/products'), false)
})

test('everything that may be held is public', () => {
  for (const { cache, access, operation } of publicRoutes) {
    if (cache) assert.equal(access.kind, 'public', operation)
  }
})

function theDeps(service: string, part: Partial<RouteDeps> = {}) {
  const { upstream, asked } = anUpstream(async (_request, sink) => {
    sink.onHead(200, { 'content-type': 'text/plain' })
    sink.onData(Buffer.from('fetched'))
  })
  const shed: ShedClass[] = []
  const deps: RouteDeps = {
    upstreams: new Map([[service, upstream]]),
    shed: (shedClass) => shed.push(shedClass),
    closing: new AbortController().signal,
    catalogue: {
      find: () => undefined,
      fetch: async (_key, _rule, fetch) => ({ kind: 'uncacheable', answer: await fetch('"x"') }),
      counts: () => assert.fail('nobody asked'),
    },
    ...part,
  }
  return { deps, asked, shed }
}

function cachedRoute(): { route: PublicRoute; rule: NonNullable<PublicRoute['cache']> } {
  const { route } = matchOf('GET', '/api/v1/products')
  if (!route.cache) throw new Error('The catalogue is not cached.')
  return { route, rule: route.cache }
}

test('only a request that the cache cannot answer counts as work', async (t) => {
  const target = '/api/v1/products'
  const held: Found = {
    kind: 'uncacheable',
    answer: { status: 200, headers: {}, body: Buffer.from('held') },
  }
  const full = theDeps('products')
  const hit = theDeps('products', { catalogue: { ...full.deps.catalogue, find: () => held } })
  const first = await serveStep(t, (exchange) =>
    answerFromCache(hit.deps, exchange, { ...cachedRoute(), target }),
  )
  assert.equal(await (await fetch(first.url)).text(), 'held')
  assert.deepEqual([hit.shed, hit.asked], [[], []])
  const second = await serveStep(t, (exchange) =>
    answerFromCache(full.deps, exchange, { ...cachedRoute(), target }),
  )
  assert.equal(await (await fetch(second.url)).text(), 'fetched')
  assert.deepEqual(full.shed, ['read'])
})

test('what is shared is asked for without anything of the client', async (t) => {
  const { deps, asked } = theDeps('products')
  const target = '/api/v1/products'
  const { url } = await serveStep(t, (exchange) =>
    answerFromCache(deps, exchange, { ...cachedRoute(), target }),
  )
  const headers = { authorization: 'Bearer x', cookie: 'a=1', 'accept-language': 'fr' }
  await fetch(url, { headers })
  const sent = asked[0]?.headers ?? {}
  assert.deepEqual(sent, { 'if-none-match': '"x"' })
  assert.equal(asked[0]?.deadlineMs, 3_000)
  assert.ok(asked[0]?.hedgeAfterMs)
})

test('a service gets the headers that it knows, and none that says who the client is', async (t) => {
  const { deps, asked } = theDeps('carts')
  const { route } = matchOf('GET', '/api/v1/carts/current')
  const { url } = await serveStep(t, (exchange) => {
    startDeadline(exchange, route.deadlineMs)
    return answerFromService(deps, exchange, { route, target: '/api/v1/carts/current' })
  })
  await fetch(url, {
    headers: {
      authorization: 'Bearer x',
      'accept-language': 'fr',
      cookie: 'a=1',
      'x-forwarded-for': '1.1.1.1',
      'x-real-ip': '1.1.1.1',
      'x-subject': 'root',
    },
  })
  const sent = asked[0]?.headers ?? {}
  assert.equal(sent.authorization, 'Bearer x')
  assert.equal(sent['accept-language'], 'fr')
  for (const name of ['cookie', 'x-forwarded-for', 'x-real-ip', 'x-subject']) {
    assert.equal(sent[name], undefined, name)
  }
})

test('what the contract calls idempotent may be sent again, another POST may not', async (t) => {
  const isRepeatable = async (method: string, path: string) => {
    const { route } = matchOf(method, path)
    const { deps, asked } = theDeps(route.service)
    const { url } = await serveStep(t, (exchange) => {
      startDeadline(exchange, route.deadlineMs)
      return answerFromService(deps, exchange, { route, target: path })
    })
    await fetch(url, { method })
    return asked[0]?.isRepeatable
  }
  assert.equal(await isRepeatable('GET', '/api/v1/carts/current'), true)
  assert.equal(await isRepeatable('POST', '/api/v1/carts'), false)
  assert.equal(await isRepeatable('POST', '/api/v1/orders'), true)
})
