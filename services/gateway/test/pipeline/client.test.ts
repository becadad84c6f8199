import assert from 'node:assert/strict'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { loadGatewayConfig } from '../../src/config.ts'
import { createClientReader } from '../../src/pipeline/client.ts'

function from(remoteAddress: string, headers: IncomingHttpHeaders = {}): IncomingMessage {
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage
}

const forwarded = (chain: string, protocol?: string) => ({
  'x-forwarded-for': chain,
  ...(protocol !== undefined && { 'x-forwarded-proto': protocol }),
})

test('whoever is no trusted proxy is the client, whatever it claims', () => {
  const read = createClientReader(['10.0.0.0/8'])
  const client = read(from('203.0.113.7', forwarded('198.51.100.1', 'https')))
  assert.deepEqual(client, { address: '203.0.113.7', bucket: '203.0.113.7', protocol: 'http' })
  const nobody = createClientReader([])
  assert.equal(nobody(from('127.0.0.1', forwarded('198.51.100.1'))).address, '127.0.0.1')
})

for (const [what, chain, address] of [
  ['the one address', '198.51.100.1', '198.51.100.1'],
  ['the right-most, not the claim before it', '1.1.1.1, 198.51.100.1', '198.51.100.1'],
  ['who stands before a chain of proxies', '1.1.1.1, 198.51.100.1, 10.9.9.9', '198.51.100.1'],
  ['the far end when all are proxies', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
  ['the proxy when its word is no address', 'unknown', '10.0.0.1'],
  ['the nearest proxy behind rubbish', '198.51.100.1, <script>, 10.0.0.2', '10.0.0.2'],
  ['the proxy when there is no word', '', '10.0.0.1'],
  ['an IPv4 address written as IPv6', '::ffff:198.51.100.1', '198.51.100.1'],
] as const) {
  test(`behind a trusted proxy the client is ${what}`, () => {
    const read = createClientReader(['10.0.0.0/8', '2001:db8:ffff::1'])
    assert.equal(read(from('10.0.0.1', forwarded(chain))).address, address)
    // Once more: the second time it is remembered.
    assert.equal(read(from('::ffff:10.0.0.1', forwarded(chain))).address, address)
    assert.equal(read(from('10.0.0.1')).address, '10.0.0.1')
  })
}

test('what one proxy said is not taken for the word of another', () => {
  const read = createClientReader(['10.0.0.0/8'])
  assert.equal(read(from('10.0.0.1', forwarded('rubbish'))).address, '10.0.0.1')
  assert.equal(read(from('10.0.0.2', forwarded('rubbish'))).address, '10.0.0.2')
})

test('on one connection of a proxy each request has its own client', () => {
  const read = createClientReader(['10.0.0.1'])
  const first = from('10.0.0.1', forwarded('198.51.100.1', 'https'))
  assert.equal(read(first).address, '198.51.100.1')
  const second = { ...first, headers: forwarded('198.51.100.2') }
  assert.deepEqual(read(second as unknown as IncomingMessage), {
    address: '198.51.100.2',
    bucket: '198.51.100.2',
    protocol: 'http',
  })
})

test('the protocol is what the trusted proxy said last', () => {
  const read = createClientReader(['::1'])
  assert.equal(read(from('::1', forwarded('1.2.3.4', 'https'))).protocol, 'https')
  assert.equal(read(from('::1', forwarded('1.2.3.4', 'https, http'))).protocol, 'http')
})

for (const [address, bucket] of [
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
] as const) {
  test(`${address} is counted under ${bucket}`, () => {
    assert.equal(createClientReader([])(from(address)).bucket, bucket)
  })
}

test('a proxy that is neither address nor network is a fault of the configuration', () => {
  for (const value of ['balancer', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/', '::/129']) {
    const env = { TRUSTED_PROXIES: `127.0.0.1,${value}`, INTERNAL_SECRET: 'x'.repeat(32) }
    assert.throws(() => loadGatewayConfig(env), /TRUSTED_PROXIES “.+” is neither/, value)
  }
})
