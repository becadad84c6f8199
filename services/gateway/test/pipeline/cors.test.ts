import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicRoutes } from '@halles/contracts/gen/routing'
import { createMethodFinder } from '../../src/match.ts'
import { createCors, parseOrigin } from '../../src/pipeline/cors.ts'
import { anExchange } from './exchange.ts'

const origin = 'https://app.example'
const methodsAt = createMethodFinder(publicRoutes)
const open = createCors({ origins: [origin], methodsAt })
const closed = createCors({ origins: [], methodsAt })

function aPreflight(url: string, headers: Record<string, string> = {}) {
  return anExchange({
    method: 'OPTIONS',
    url,
    headers: { origin, 'access-control-request-method': 'PUT', ...headers },
  }).request
}

function toRecord(headers: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    headers.flatMap((name, index) => (index % 2 === 0 ? [[name, headers[index + 1] ?? '']] : [])),
  )
}

test('without origins nothing is said to other origins', () => {
  assert.deepEqual(closed.headersOf(origin), [])
  assert.equal(closed.preflight(aPreflight('/api/v1/carts/current')), undefined)
})

test('a known origin is named exactly, and what it may read', () => {
  const headers = toRecord(open.headersOf(origin))
  assert.equal(headers['access-control-allow-origin'], origin)
  assert.equal(headers.vary, 'origin')
  assert.match(headers['access-control-expose-headers'] ?? '', /etag/)
  assert.equal(headers['access-control-allow-credentials'], undefined)
})

for (const other of [
  undefined,
  'null',
  'https://evil.example',
  'https://app.example.evil',
  'HTTPS://APP.EXAMPLE',
  '*',
]) {
  test(`the origin ${other} is told nothing, and caches are told that others may be`, () => {
    assert.deepEqual(open.headersOf(other), ['vary', 'origin'])
  })
}

test('a preflight is told the methods of the path from the contract', () => {
  const line = toRecord(open.preflight(aPreflight('/api/v1/carts/a/lines/b')) ?? [])
  assert.equal(line['access-control-allow-methods'], 'DELETE, PUT')
  const products = toRecord(open.preflight(aPreflight('/api/v1/products?q=a')) ?? [])
  assert.equal(products['access-control-allow-methods'], 'GET, POST')
  assert.match(products['access-control-allow-headers'] ?? '', /authorization.*if-match/)
})

test('what is no preflight of a known origin is not answered as one', () => {
  assert.equal(open.preflight(aPreflight('/api/v1/nothing')), undefined)
  assert.equal(open.preflight(aPreflight('/internal/v1/policy')), undefined)
  assert.equal(
    open.preflight(aPreflight('/api/v1/products', { origin: 'https://evil.example' })),
    undefined,
  )
  assert.equal(
    open.preflight(anExchange({ method: 'OPTIONS', url: '/api/v1/products' }).request),
    undefined,
  )
})

test('an origin is written as browsers write it', () => {
  assert.equal(parseOrigin('http://localhost:5173'), 'http://localhost:5173')
  for (const text of [
    '*',
    'null',
    'shop.example',
    'https://shop.example/',
    'https://SHOP.example',
    'ftp://a',
    'https://shop.example:443',
  ]) {
    assert.throws(() => parseOrigin(text), /origins such as/, text)
  }
})
