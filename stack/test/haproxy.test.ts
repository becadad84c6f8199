import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, describe, test } from 'node:test'
import { eventually, freePort } from '@halles/kit/testing'
import { findPrograms } from '../src/brokers/programs.ts'
import { haproxyFile } from '../src/compose.ts'
import {
  defaultLimits,
  type HaproxySettings,
  haproxyConfiguration,
} from '../src/haproxy/configuration.ts'
import { createHaproxy } from '../src/haproxy/haproxy.ts'

const settings: HaproxySettings = {
  gateways: { kind: 'listed', servers: [{ name: 'gateway-1', host: '127.0.0.1', port: 9001 }] },
  http: { host: '0.0.0.0', port: 8080 },
  changesPort: 8079,
  metrics: { host: '127.0.0.1', port: 9100 },
  revision: '1',
  limits: defaultLimits,
}
const write = (others: Partial<HaproxySettings>) => haproxyConfiguration({ ...settings, ...others })
const tls = { host: '::', port: 8443, certificate: '/certificate.pem', isRequired: false }

describe('the configuration of HAProxy', () => {
  test('addresses and file names are written as HAProxy reads them', () => {
    assert.match(write({}), /^ {2}bind \*:8080 proto h1$/m)
    const certificate = "/data/it's $HOME/%[src] #1\\n.pem"
    const text = write({ tls: { ...tls, certificate } })
    const quoted = "'/data/it'\\''s $HOME/%[src] #1\\n.pem'"
    assert.ok(text.includes(`  bind [::]:8443 ssl crt ${quoted} alpn h2,http/1.1\n`))
  })

  test('only an event stream may be silent for long, a list of events may not', () => {
    const patterns = /^ {2}acl is_stream path_reg (.+)$/m.exec(write({}))?.[1]?.split(' ') ?? []
    const isStream = (path: string) => patterns.some((pattern) => new RegExp(pattern).test(path))
    assert.ok(isStream('/api/v1/carts/0199a1b2/events'))
    assert.ok(!isStream('/api/v1/payments/events'))
    assert.ok(!isStream('/api/v1/carts/current'))
  })

  test('what is no port, address, network, name or file is refused before it is written', () => {
    const server = { name: 'gateway-1', host: '127.0.0.1', port: 9001 }
    const listing = (change: Partial<typeof server>): Partial<HaproxySettings> => ({
      gateways: { kind: 'listed', servers: [{ ...server, ...change }] },
    })
    const faults: Partial<HaproxySettings>[] = [
      { http: { host: '127.0.0.1', port: 0 } },
      { http: { host: '127.0.0.1', port: 65_536 } },
      { http: { host: '127.0.0.1', port: 80.5 } },
      { http: { host: '127.0.0.1 name x', port: 80 } },
      { http: { host: 'fe80::1%eth0', port: 80 } },
      { metrics: { host: '', port: 9100 } },
      { changesPort: Number.NaN },
      listing({ name: 'a b' }),
      listing({ name: 'a\nserver b 1.2.3.4:80' }),
      listing({ host: '127.0.0.1\n  server evil 1.2.3.4' }),
      listing({ port: -1 }),
      { gateways: { kind: 'named', name: 'a b', port: 80, atMost: 16 } },
      { proxyNetworks: ['10.0.0.0/33'] },
      { proxyNetworks: ['10.0.0.0/8 }'] },
      { proxyNetworks: ['all'] },
      { proxyNetworks: { variable: 'X}' } },
      { adminSocket: '/run/a\nb.sock' },
      { tls: { ...tls, certificate: '' } },
      { tls: { ...tls, certificate: '/a\u0000b' } },
      { tls: { ...tls, certificate: { variable: 'A"B' } } },
      { dropTo: { user: 'root;', group: 'nogroup', folder: '/empty' } },
      { revision: "1' hdr X 'y" },
    ]
    for (const fault of faults) {
      assert.throws(() => write(fault), RangeError, JSON.stringify(fault))
    }
  })

  test('browsers are told to insist on TLS only where that is asked for, and over TLS', () => {
    const header = 'Strict-Transport-Security'
    assert.ok(!write({ tls }).includes(header))
    const insisting = write({ tls: { ...tls, hstsSeconds: 60 } })
    assert.match(insisting, new RegExp(`${header} max-age=60 if \\{ ssl_fc \\}$`, 'm'))
  })

  test('the port of TLS is named in a redirect unless it is the usual one', () => {
    const required = (port: number) => write({ tls: { ...tls, port, isRequired: true } })
    assert.ok(required(8443).includes('https://%[req.hdr(host),host_only]:8443%[pathq]'))
    assert.ok(required(443).includes('https://%[req.hdr(host),host_only]%[pathq]'))
    assert.ok(!write({ tls }).includes('redirect'))
  })
})

describe('a running HAProxy', () => {
  const { haproxy = '' } = findPrograms()
  const skip = haproxy ? false : 'HAProxy is not installed'
  const folder = mkdtempSync(join(tmpdir(), 'halles-haproxy-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  async function openGateway(name: string) {
    const gateway = { status: 200 }
    const server = createServer((_request, reply) => reply.writeHead(gateway.status).end())
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    after(() => server.close())
    const { port } = server.address() as AddressInfo
    return Object.assign(gateway, { address: { name, host: '127.0.0.1', port } })
  }

  test('tells which gateways get requests', { skip }, async () => {
    const [one, two] = [await openGateway('gateway-1'), await openGateway('gateway-2')]
    const logFd = openSync(join(folder, 'log'), 'a')
    const kept = await createHaproxy({
      binary: haproxy,
      folder,
      isTemporary: true,
      logFd,
      logTail: () => [],
      onChange: () => undefined,
      settings: { http: { host: '127.0.0.1', port: await freePort() }, limits: defaultLimits },
      gateways: [one.address],
      ports: { metrics: await freePort(), changes: await freePort() },
      adminSocket: join(folder, 'admin.sock'),
    })
    await assert.rejects(kept.usedGateways(), { code: 'ENOENT' })
    await kept.start()
    after(() => kept.stop())
    const uses = (...names: string[]) =>
      eventually(async () => assert.deepEqual(await kept.usedGateways(), names), {
        limitMs: 20_000,
      })
    await uses('gateway-1')
    await kept.setGateways([one.address, two.address])
    await uses('gateway-1', 'gateway-2')
    one.status = 503
    await uses('gateway-2')
    one.status = 200
    await uses('gateway-1', 'gateway-2')
    await kept.setGateways([two.address])
    await uses('gateway-2')
  })
})

describe('the file for containers', () => {
  const file = resolve(import.meta.dirname, '../../deploy/haproxy/haproxy.cfg')

  test('it is what the generator writes', () => {
    const isSame = readFileSync(file, 'utf8') === haproxyFile()
    assert.ok(isSame, 'deploy/haproxy/haproxy.cfg is stale: node stack/src/compose.ts')
  })

  const { haproxy = '' } = findPrograms()
  const skip = haproxy ? false : 'HAProxy is not installed'
  test('HAProxy accepts it, with and without what the environment may add', { skip }, () => {
    const check = (env: Record<string, string>) =>
      execFileSync(haproxy, ['-c', '-f', file], { env, encoding: 'utf8', stdio: 'pipe' })
    for (const env of [{}, { CERTIFICATE: '', PROXY_NETWORKS: '' }]) {
      assert.match(check(env), /valid/)
    }
    assert.match(check({ PROXY_NETWORKS: '10.0.0.0/8 fd00::/8' }), /valid/)
    const absent = join(import.meta.dirname, 'absent.pem')
    assert.throws(() => check({ CERTIFICATE: absent }), /unable to stat SSL certificate/)
    assert.throws(() => check({ PROXY_NETWORKS: '10.0.0.0/8 all' }), /'all' is not a valid/)
  })
})
