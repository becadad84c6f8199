import assert from 'node:assert/strict'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { createDoor } from '../../src/pipeline/door.ts'

type Given = { method?: string; url?: string; httpVersion?: string }

function aRequest(rawHeaders: readonly string[], given: Given = {}, socket = new Socket()) {
  const request = new IncomingMessage(socket)
  const headers: Record<string, string> = {}
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    // As Node does for these: the first one stays.
    headers[name] ??= rawHeaders[index + 1] ?? ''
  }
  Object.assign(request, {
    method: 'GET',
    url: '/',
    httpVersion: '1.1',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    ...given,
    rawHeaders,
    headers,
  })
  return { request, response: new ServerResponse(request) }
}

const shop = ['Host', 'shop.example']
const check = createDoor({ allowedHosts: [] })

test('an honest request passes and keeps its connection', () => {
  const exchange = aRequest([...shop, 'Authorization', 'Bearer x', 'Accept', 'a', 'Accept', 'b'])
  check(exchange)
  assert.equal(exchange.response.shouldKeepAlive, true)
})

for (const name of [
  'host',
  'Authorization',
  'CONTENT-TYPE',
  'Idempotency-Key',
  'Stripe-Signature',
  'Content-Encoding',
  'Origin',
]) {
  test(`${name} is taken once alone`, () => {
    const exchange = aRequest([...shop, name, 'shop.example', name.toLowerCase(), 'shop.example'])
    assert.throws(() => check(exchange), {
      code: 'REPEATED_HEADER',
      errors: [{ pointer: `/headers/${name.toLowerCase()}`, detail: 'must be sent once' }],
    })
    assert.equal(exchange.response.shouldKeepAlive, false)
  })
}

test('after a refusal nothing more is taken from the same connection', () => {
  const socket = new Socket()
  assert.throws(() => check(aRequest(['Host', '?'], {}, socket)), { code: 'INVALID_HOST' })
  assert.throws(() => check(aRequest(shop, {}, socket)), { code: 'MALFORMED_HTTP' })
  check(aRequest(shop))
})

test('a shop that says its names answers to no other, but to whoever asks how it is', () => {
  const named = createDoor({ allowedHosts: ['Shop.example', 'www.shop.example'] })
  for (const host of ['shop.example', 'SHOP.example:8080', 'www.shop.example.']) {
    named(aRequest(['Host', host]))
  }
  for (const host of ['evil.example', 'shop.example.evil.example', 'xshop.example', '10.0.0.1']) {
    assert.throws(() => named(aRequest(['Host', host])), { code: 'INVALID_HOST' }, host)
    named(aRequest(['Host', host], { url: '/readyz' }))
  }
  assert.throws(() => named(aRequest([], { httpVersion: '1.0' })), { code: 'INVALID_HOST' })
})

test('an upgrade is not taken up, and its connection ends with the answer', () => {
  const exchange = aRequest([...shop, 'Upgrade', 'h2c', 'Connection', 'Upgrade'])
  check(exchange)
  assert.equal(exchange.response.shouldKeepAlive, false)
})

test('what has no body by its method may say that it has none', () => {
  check(aRequest([...shop, 'Content-Length', '0']))
  assert.throws(() => check(aRequest([...shop, 'Content-Length', '1'])), {
    code: 'BODY_NOT_EXPECTED',
  })
  check(aRequest([...shop, 'Content-Length', '1'], { method: 'DELETE' }))
})
