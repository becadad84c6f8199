import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicRoutes } from '@halles/contracts/gen/routing'
import fc from 'fast-check'
import { createMatcher } from '../src/match.ts'

const match = createMatcher(publicRoutes)

test('every route of the contract is found by its own path', () => {
  for (const route of publicRoutes) {
    const path = route.path.replaceAll(/\{\w+\}/g, 'x-1')
    assert.equal(match(route.method, path)?.route.operation, route.operation)
  }
})

test('a literal path wins over a parameter', () => {
  assert.equal(match('GET', '/api/v1/carts/current')?.route.operation, 'getCurrentCart')
})

test('internal routes cannot be reached', () => {
  assert.equal(match('GET', '/internal/v1/policy'), undefined)
})

test('another method on a known path is refused with the methods that are allowed', () => {
  assert.throws(() => match('PATCH', '/api/v1/carts/current'), {
    code: 'METHOD_NOT_ALLOWED',
    details: { allow: ['GET'] },
  })
})

for (const target of [
  '/api/v1/../internal',
  '/api/v1/./products',
  '/api//v1/products',
  '/api/v1/products%2f..',
  '/api/v1/%70roducts',
  '/api/v1/products\\x',
  '/api/v1/products;x=1',
  'http://elsewhere/api/v1/products',
  '*',
]) {
  test(`the target ${target} is refused`, () => {
    assert.throws(() => match('GET', target), { code: 'INVALID_PATH' })
  })
}

test('the order of parameters does not make another cache entry', () => {
  const one = match('GET', '/api/v1/products?q=tea&limit=5')
  const two = match('GET', '/api/v1/products?limit=5&q=tea')
  assert.equal(one?.query, two?.query)
  assert.equal(one?.isCanonical, true)
})

for (const query of ['x=1', 'limit=5&limit=6', 'limit=5&&q=1']) {
  test(`a query such as ${query} is never cached`, () => {
    assert.equal(match('GET', `/api/v1/products?${query}`)?.isCanonical, false)
  })
}

test('no target makes the matcher fail in any other way', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (target) => {
      try {
        match('GET', `/${target}`)
      } catch (error) {
        assert.ok(error instanceof Error && 'code' in error, String(error))
      }
    }),
  )
})
