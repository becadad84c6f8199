import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { get } from './door-cases.ts'
import { type Edge, startOwnEdge } from './edge.ts'
import { converse, type RawAnswer } from './raw.ts'

const origin = 'https://app.example'
let edge: Edge
before(async () => {
  edge = await startOwnEdge({
    CORS_ORIGINS: `https://admin.example,${origin}`,
    ALLOWED_HOSTS: 'shop.example',
    TRUSTED_PROXIES: '127.0.0.1',
  })
})
after(() => edge.stop())

async function ask(target: string, headers = '', method = 'GET'): Promise<RawAnswer> {
  const part = get(target, headers).replace('GET', method)
  const { answers } = await converse(edge.address, { parts: [part], expected: 1 })
  return answers[0] ?? assert.fail('no answer came')
}

test('a page of a known origin may read answers, refusals too, but never with credentials', async () => {
  for (const target of ['/api/v1/products', '/api/v1/carts/current', '/api/v1/nothing', '/docs']) {
    const { headers } = await ask(target, `Origin: ${origin}\r\n`)
    assert.equal(headers['access-control-allow-origin'], origin, target)
    assert.match(headers.vary ?? '', /origin/)
    assert.equal(headers['access-control-allow-credentials'], undefined)
    const stranger = await ask(target, 'Origin: https://evil.example\r\n')
    assert.equal(stranger.headers['access-control-allow-origin'], undefined, target)
    assert.match(stranger.headers.vary ?? '', /origin/)
  }
})

test('a preflight is answered for known origins alone, and reaches no service', async () => {
  edge.takeSeen()
  const asked = 'Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-evil\r\n'
  const known = await ask('/api/v1/carts', `Origin: ${origin}\r\n${asked}`, 'OPTIONS')
  assert.deepEqual([known.status, known.body], [204, ''])
  assert.equal(known.headers['access-control-allow-methods'], 'POST')
  assert.doesNotMatch(known.headers['access-control-allow-headers'] ?? '', /x-evil/)
  const stranger = await ask('/api/v1/carts', `Origin: https://evil.example\r\n${asked}`, 'OPTIONS')
  assert.equal(stranger.status, 405)
  assert.equal(stranger.headers['access-control-allow-methods'], undefined)
  assert.deepEqual(edge.takeSeen(), [])
})

test('browsers are told to stay with TLS where a trusted proxy says that it ends it', async () => {
  const secure = await ask('/api/v1/products', 'X-Forwarded-Proto: https\r\n')
  assert.equal(secure.headers['strict-transport-security'], 'max-age=31536000')
  const plain = await ask('/api/v1/products', 'X-Forwarded-Proto: http\r\n')
  assert.equal(plain.headers['strict-transport-security'], undefined)
})

test('every answer says that nothing is to be made of it but what it is', async () => {
  for (const target of ['/api/v1/products', '/api/v1/nothing', '/docs', '/%']) {
    const { headers } = await ask(target)
    assert.equal(headers['x-content-type-options'], 'nosniff', target)
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin', target)
  }
})

test('another name than those of the shop is refused', async () => {
  const parts = ['GET /api/v1/products HTTP/1.1\r\nHost: evil.example\r\n\r\n']
  const { answers, isClosed } = await converse(edge.address, { parts })
  assert.deepEqual([answers[0]?.status, isClosed], [400, true])
})
