import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publicRoutes } from '@halles/contracts/gen/routing'
import fc from 'fast-check'
import { checkPageTarget, createPageTest } from '../../src/pipeline/page-path.ts'

const isPage = createPageTest(publicRoutes)

test('no route of the contract is a page', () => {
  for (const { path } of publicRoutes) {
    assert.equal(isPage(path.replaceAll(/\{\w+\}/g, 'x')), false, path)
  }
})

for (const target of [
  '/api',
  '/api/',
  '/api/v1/nothing',
  '/api/v1/../../x',
  '/internal/v1/policy',
  '/metrics',
  '/healthz',
  '/readyz?verbose',
  '/docs',
  '/openapi.json',
  '/asyncapi.json',
  '/schemas/halles.products.price-changed.v1',
  '/.well-known/jwks.json',
  'http://elsewhere/',
  '*',
]) {
  test(`${target} is no page`, () => assert.equal(isPage(target), false))
}

for (const target of [
  '/',
  '/products/green-tea',
  '/products/th%C3%A9%20vert',
  '/search?q=caf%C3%A9%20%2F%2025%25&back=/cart',
  '/assets/root-B2x_1.js',
  '/checkout/return?order=1',
  '/.well-known/security.txt',
  '/apis',
  '/products.data?_routes=root',
  '/@someone/list;v=1,(2)/',
]) {
  test(`${target} is a page`, () => {
    assert.equal(isPage(target), true)
    checkPageTarget(target)
  })
}

for (const target of [
  '/a%2fb',
  '/a%2Fb',
  '/a%5cb',
  '/a\\b',
  '/%2e%2e/x',
  '/a/%2E/b',
  '/a/../api/v1',
  '/a/..',
  '/./a',
  '//evil.example',
  '/a//b',
  '/%00',
  '/a%0d%0aset-cookie:x',
  '/%7f',
  '/%252e%252e/x',
  '/%61pi/v1/products',
  '/a%zz',
  '/a%c3',
  '/a%',
  '/caf\u00e9',
  '/a?\u00e9',
  '/a?b c',
  '/a#b',
  '/<x>',
]) {
  test(`the page ${JSON.stringify(target)} is refused`, () => {
    assert.throws(() => checkPageTarget(target), { kind: 'invalid', code: 'INVALID_PATH' })
  })
}

test('an address that is too long is refused', () => {
  assert.throws(() => checkPageTarget(`/?q=${'a'.repeat(5_000)}`), { code: 'TARGET_TOO_LONG' })
})

test('what is let through is one path to whoever decodes it once or twice', () => {
  fc.assert(
    fc.property(fc.webPath(), (path) => {
      try {
        checkPageTarget(path === '' ? '/' : path)
      } catch (error) {
        assert.ok(error instanceof Error && 'code' in error, String(error))
        return
      }
      const decoded = decodeURIComponent(path)
      assert.equal(decoded.split('/').length, path.split('/').length)
      assert.equal(decodeURIComponent(decoded), decoded)
    }),
  )
})
