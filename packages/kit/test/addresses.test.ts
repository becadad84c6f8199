import assert from 'node:assert/strict'
import { Resolver } from 'node:dns/promises'
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type AddressSourceOptions, createAddressSource } from '../src/address-source.ts'
import { parseAddress } from '../src/addresses.ts'
import { addressList, ConfigError, loadConfig } from '../src/config.ts'
import type { Logger } from '../src/logging.ts'
import { eventually, silentLogger } from '../src/testing.ts'
import { startDnsServer, type Zone } from './dns-server.ts'

const closers: (() => unknown)[] = []
after(async () => {
  for (const close of closers.reverse()) await close()
})

const folder = mkdtempSync(join(tmpdir(), 'halles-addresses-'))
closers.push(() => rmSync(folder, { recursive: true }))

/** Follows the items closely, and notes what is logged. */
function follow(items: readonly string[], options: Partial<AddressSourceOptions> = {}) {
  const said: string[] = []
  const logger = Object.assign(silentLogger(), {
    warn: (_facts: object, text: string) => said.push(`warn: ${text}`),
    info: (_facts: object, text: string) => said.push(`info: ${text}`),
  }) as unknown as Logger
  const source = createAddressSource({
    items,
    kind: 'http',
    logger,
    resolveEveryMs: 10,
    readEveryMs: 10,
    ...options,
  })
  closers.push(() => source.stop())
  const changes: (readonly string[])[] = []
  source.onChange((addresses) => changes.push(addresses))
  return { source, changes, said }
}

async function aNameServer(zone: Zone) {
  const server = await startDnsServer(zone)
  closers.push(() => server.stop())
  const resolver = new Resolver({ timeout: 500, tries: 1 })
  resolver.setServers([server.address])
  return { state: server.state, resolver }
}

test('each form of an address is understood, for HTTP and for gRPC', () => {
  const fixed = (text: string, kind: 'http' | 'grpc') => {
    const item = parseAddress(text, kind)
    return item.source === 'fixed' && item.address
  }
  assert.equal(fixed('http://127.0.0.1:8081', 'http'), 'http://127.0.0.1:8081')
  assert.equal(fixed('http://Auth:8081/', 'http'), 'http://auth:8081')
  assert.equal(fixed('[::1]:9091', 'grpc'), '[::1]:9091')
  assert.deepEqual(parseAddress('dns+http://auth.shop.svc:80', 'http'), {
    source: 'dns',
    name: 'auth.shop.svc',
    port: 80,
  })
  assert.deepEqual(parseAddress('srv+grpc://_grpc._tcp.orders', 'grpc'), {
    source: 'srv',
    name: '_grpc._tcp.orders',
  })
  assert.equal(parseAddress('file:///run/auth.json', 'grpc').source, 'file')
})

for (const [text, kind] of [
  ['auth:8081', 'http'],
  ['http://auth:8081/api', 'http'],
  ['http://user:password@auth', 'http'],
  ['dns+http://auth', 'http'],
  ['srv+http://_http._tcp.auth:80', 'http'],
  ['dns+grpc://auth:90', 'http'],
  ['file://elsewhere/auth.json', 'http'],
  ['http://auth:9091', 'grpc'],
  ['auth:99999', 'grpc'],
  ['auth', 'grpc'],
] as const) {
  test(`${text} is no address for ${kind}`, () => {
    const schema = { urls: addressList('AUTH_URLS', kind) }
    assert.throws(
      () => loadConfig(schema, { AUTH_URLS: text }),
      (error: unknown) =>
        error instanceof ConfigError &&
        /AUTH_URLS must list addresses like/.test(error.message) &&
        !error.message.includes('password'),
    )
  })
}

test('the addresses of a name are followed while instances come and go', async () => {
  const { state, resolver } = await aNameServer({ 'auth.shop': { a: ['10.0.0.2', '10.0.0.1'] } })
  const { source } = follow(['dns+http://auth.shop:8081', 'http://127.0.0.1:1'], { resolver })
  assert.deepEqual(source.current(), ['http://127.0.0.1:1'])
  assert.equal(source.isComplete(), false)
  await source.start()
  assert.equal(source.isComplete(), true)
  const expected = ['http://10.0.0.1:8081', 'http://10.0.0.2:8081', 'http://127.0.0.1:1']
  assert.deepEqual(source.current(), expected)
  state.zone = { 'auth.shop': { a: ['10.0.0.2', '10.0.0.3'] } }
  await eventually(() => source.current().includes('http://10.0.0.3:8081'))
  assert.equal(source.current().includes('http://10.0.0.1:8081'), false)
})

test('a name without records has no instance, one that cannot be looked up keeps those it had', async () => {
  const { state, resolver } = await aNameServer({ auth: { a: ['10.0.0.1'] } })
  const { source, changes, said } = follow(['dns+http://auth:80'], { resolver })
  await source.start()
  state.isFailing = true
  await eventually(() => said.length === 1)
  state.zone = {}
  state.isFailing = false
  assert.deepEqual(source.current(), ['http://10.0.0.1:80'])
  assert.equal(changes.length, 1)
  state.zone = { auth: {} }
  await eventually(() => source.current().length === 0)
  assert.deepEqual(said, [
    'warn: Addresses cannot be looked up; the last known stay.',
    'info: Addresses can be looked up again.',
  ])
})

test('SRV records give hosts and ports, of the lowest priority alone', async () => {
  const name = '_grpc._tcp.orders'
  const { resolver } = await aNameServer({
    [name]: {
      srv: [
        { priority: 1, port: 9092, host: 'two.orders' },
        { priority: 1, port: 9091, host: 'one.orders' },
        { priority: 2, port: 9093, host: 'spare.orders' },
      ],
    },
    'one.orders': { a: ['10.0.0.1'] },
    'two.orders': { a: ['10.0.0.2'] },
  })
  const { source } = follow([`srv+grpc://${name}`], { resolver, kind: 'grpc' })
  await source.start()
  assert.deepEqual(source.current(), ['10.0.0.1:9091', '10.0.0.2:9092'])
})

test('a file is followed while it is replaced, and one that is half written is not taken', async () => {
  const file = join(folder, 'auth.http.json')
  const replace = (text: string) => {
    writeFileSync(`${file}.new`, text)
    renameSync(`${file}.new`, file)
  }
  const { source, changes, said } = follow([pathToFileURL(file).href])
  await source.start()
  assert.deepEqual(source.current(), [])
  assert.equal(said.length, 1, 'that it is missing is said once')
  replace('["http://127.0.0.1:8081"]')
  await eventually(() => source.current().length === 1)
  writeFileSync(file, '["http://127.0.0.1:8081","http://127')
  await eventually(() => said.length === 3)
  assert.deepEqual(source.current(), ['http://127.0.0.1:8081'])
  writeFileSync(file, '["http://127.0.0.1:8081","http://127.0.0.1:8082"]')
  await eventually(() => source.current().length === 2)
  replace('[]')
  await eventually(() => source.current().length === 0)
  assert.equal(changes.length, 3)
})

test('a file of something else changes nothing', async () => {
  const file = join(folder, 'odd.json')
  for (const text of ['{}', '[1]', '["dns+http://auth:80"]', '["auth:80"]', ' '.repeat(70_000)]) {
    writeFileSync(file, '["http://127.0.0.1:8081"]')
    const { source, said } = follow([pathToFileURL(file).href])
    await source.start()
    writeFileSync(file, text)
    await eventually(() => said.length === 1)
    assert.deepEqual(source.current(), ['http://127.0.0.1:8081'])
  }
})
