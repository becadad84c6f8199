import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refuseCrossSite } from '../../src/pipeline/cross-site.ts'
import { anExchange } from './exchange.ts'

const check = (method: string, headers: Record<string, string>) =>
  refuseCrossSite(anExchange({ method, headers: { host: 'shop.example', ...headers } }).request)

test('a page of the shop itself, and what is no browser, may change things', () => {
  check('POST', { 'sec-fetch-site': 'same-origin', origin: 'https://shop.example' })
  check('POST', { 'sec-fetch-site': 'none' })
  check('POST', { origin: 'https://shop.example' })
  check('POST', {})
})

test('a page of another site may look, and change nothing', () => {
  const strangers = [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site', origin: 'https://shop.example' },
    { origin: 'https://evil.example' },
    { origin: 'https://shop.example.evil.example' },
    { origin: 'null' },
    { origin: '' },
  ]
  for (const headers of strangers) {
    assert.throws(() => check('POST', headers), { code: 'CROSS_SITE_REQUEST' })
    check('GET', headers)
  }
})
