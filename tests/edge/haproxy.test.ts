import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { get as getSecurely } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, test } from 'node:test'
import { eventually, freePort } from '@halles/kit/testing'
import { findPrograms } from '../../stack/src/brokers/programs.ts'
import { type Certificate, provideCertificate } from '../../stack/src/haproxy/certificate.ts'
import { defaultLimits, type HaproxySettings } from '../../stack/src/haproxy/configuration.ts'
import { createHaproxy, type Haproxy } from '../../stack/src/haproxy/haproxy.ts'
import { createLogs } from '../../stack/src/logs.ts'
import { signalProcess } from '../../stack/src/processes.ts'
import { type Backend, forkBackend, startBackend } from './backends.ts'
import { ask, startLoad } from './load.ts'
import { converse } from './raw.ts'

const binary = process.env.HALLES_TEST_HAPROXY
const skip = binary ? false : 'HAProxy is not installed'

const folder = mkdtempSync(join(tmpdir(), 'halles-edge-'))
const logs = createLogs({
  folder: join(folder, 'logs'),
  maxBytes: 1_000_000,
  checkMs: 1_000,
  onError: () => undefined,
})
after(() => {
  logs.close()
  rmSync(folder, { recursive: true })
})

let backends: Backend[] = []
let haproxy: Haproxy | undefined
afterEach(async () => {
  await haproxy?.stop()
  await Promise.all(backends.map((backend) => backend.stop()))
  backends = []
})

const toAddress = ({ name, port }: { name: string; port: number }) => ({
  name,
  host: '127.0.0.1',
  port,
})

type Others = Partial<HaproxySettings['limits']> & {
  tls?: NonNullable<HaproxySettings['tls']>
  proxyNetworks?: string[]
}

/** HAProxy before these gateways; returns its port. */
async function balance(gateways: { name: string; port: number }[], others: Others = {}) {
  const { tls, proxyNetworks, ...limits } = others
  const own = mkdtempSync(join(folder, 'haproxy-'))
  const port = await freePort()
  haproxy = await createHaproxy({
    binary: binary ?? '',
    folder: own,
    isTemporary: false,
    logFd: logs.open('haproxy'),
    logTail: () => logs.tail('haproxy', 8),
    onChange: () => undefined,
    settings: {
      http: { host: '127.0.0.1', port },
      ...(tls ? { tls } : {}),
      proxyNetworks,
      limits: { ...defaultLimits, ...limits },
    },
    gateways: gateways.map(toAddress),
    ports: { metrics: await freePort(), changes: await freePort() },
    adminSocket: join(own, 'admin.sock'),
  })
  await haproxy.start()
  return port
}

async function startPair(serve?: Parameters<typeof startBackend>[1]): Promise<[Backend, Backend]> {
  const pair: [Backend, Backend] = [
    await startBackend('gateway-1', serve),
    await startBackend('gateway-2', serve),
  ]
  backends.push(...pair)
  return pair
}

const seenBy = (some: readonly Backend[], url: string) =>
  some.flatMap(({ seen }) => seen).filter((request) => request.url === url).length

function assertProblem(answer: { headers: Record<string, unknown>; body: string }, status: number) {
  assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8')
  assert.equal(JSON.parse(answer.body).status, status)
}

describe('HAProxy before the gateways', { skip }, () => {
  test('an order is never sent twice when a gateway breaks off in the middle, a read is', async () => {
    const broken = new Set<string>()
    const pair = await startPair((request, response) => {
      const { url = '' } = request
      if (broken.has(url)) return void response.end('second')
      broken.add(url)
      request.socket.destroy()
    })
    const port = await balance(pair)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const path = `/${method}`
      const answer = await ask({ port, method, path, body: method === 'DELETE' ? '' : '{}' })
      assert.equal(answer.status, 502, method)
      assertProblem(answer, 502)
      assert.equal(seenBy(pair, path), 1, `${method} was sent again`)
    }
    for (const method of ['GET', 'HEAD', 'OPTIONS']) {
      const path = `/${method}`
      assert.equal((await ask({ port, method, path })).status, 200, method)
      assert.equal(seenBy(pair, path), 2)
    }
  })

  test('what did not reach a gateway goes to another, whatever it is', async () => {
    const pair = await startPair()
    const port = await balance(pair)
    pair[0].die()
    for (let index = 0; index < 20; index += 1) {
      const answer = await ask({ port, method: 'POST', path: `/${index}`, body: '{}' })
      assert.equal(answer.status, 200)
      assert.equal(seenBy(pair, `/${index}`), 1)
    }
  })

  test('a gateway that is killed under load costs no read', async () => {
    const [stays] = await startPair()
    const killed = await forkBackend('gateway-2')
    const port = await balance([stays, { name: 'gateway-2', port: killed.port }])
    const load = startLoad(port)
    await eventually(() => load.succeeded() > 500)
    killed.child.kill('SIGKILL')
    await once(killed.child, 'exit')
    const before = load.succeeded()
    await eventually(() => load.succeeded() > before + 1_000)
    assert.deepEqual(await load.stop(), [])
  })

  test('a gateway that is about to stop gets nothing new and ends what it has', async () => {
    const held = Promise.withResolvers<void>()
    const pair = await startPair((request, response) => {
      if (request.url !== '/slow') return void response.end()
      void held.promise.then(() => response.end('whole'))
    })
    const port = await balance(pair)
    const slow = ask({ port, method: 'POST', path: '/slow', body: '{}' })
    const [leaving, staying] = await eventually(() => {
      const index = pair.findIndex(({ seen }) => seen.some(({ url }) => url === '/slow'))
      const [first, second] = index === 0 ? pair : [...pair].reverse()
      return index >= 0 && first && second ? ([first, second] as const) : false
    })
    leaving.isReady = false
    // Equal numbers of requests to each, until the balancer has seen that one is leaving.
    await eventually(async () => {
      const before = leaving.seen.length
      for (let index = 0; index < 10; index += 1) await ask({ port })
      return leaving.seen.length === before
    })
    const [left, stayed] = [leaving.seen.length, staying.seen.length]
    for (let index = 0; index < 50; index += 1) assert.equal((await ask({ port })).status, 200)
    assert.equal(leaving.seen.length, left)
    assert.equal(staying.seen.length, stayed + 50)
    held.resolve()
    assert.equal((await slow).body, 'whole')
    leaving.isReady = true
    await eventually(async () => (await ask({ port })) && leaving.seen.length > left)
  })

  test('with no gateway left, and with one that is back, the answer says so', async () => {
    const [only] = await startPair()
    const port = await balance([only])
    only.isReady = false
    const refused = await eventually(async () => {
      const answer = await ask({ port, method: 'POST', body: '{}' })
      return answer.status === 503 && answer
    })
    assertProblem(refused, 503)
    assert.equal(refused.headers['retry-after'], '1')
    only.isReady = true
    await eventually(async () => (await ask({ port })).status === 200)
  })

  test('gateways come and go under load without a lost request', async () => {
    const [first, second] = await startPair()
    const third = await startBackend('gateway-3')
    backends.push(third)
    const port = await balance([first, second])
    const loads = [startLoad(port), startLoad(port, 'POST', 4)]
    const lists = [[first, second, third], [third], [first, third], [second]]
    for (const list of lists) {
      const before = loads.map((load) => load.succeeded())
      await haproxy?.setGateways(list.map(toAddress))
      await eventually(() => loads.every((load, at) => load.succeeded() > (before[at] ?? 0) + 100))
    }
    assert.deepEqual((await Promise.all(loads.map((load) => load.stop()))).flat(), [])
    const [gone, here] = [first.seen.length, second.seen.length]
    for (let index = 0; index < 20; index += 1) await ask({ port })
    assert.equal(first.seen.length, gone)
    assert.equal(second.seen.length, here + 20)
  })

  test('a list that it cannot use is refused, and the old one stays in force', async () => {
    const pair = await startPair()
    const port = await balance(pair)
    const twice = [toAddress(pair[0]), toAddress(pair[0])]
    await assert.rejects(async () => haproxy?.setGateways(twice), {
      code: 'TOOL_FAILED',
      message: /HAProxy refuses its configuration[\s\S]*gateway-1/,
    })
    assert.equal((await ask({ port })).status, 200)
    await haproxy?.setGateways([toAddress(pair[1])])
    assert.equal((await ask({ port })).body, 'gateway-2')
  })

  test('it is started again when it is killed', async () => {
    const pair = await startPair()
    const port = await balance(pair)
    const master = haproxy?.serverPid()
    assert.ok(master !== undefined)
    signalProcess(master, 'SIGKILL')
    await eventually(() => haproxy?.status().restarts === 1 && haproxy.status().state === 'ready')
    assert.notEqual(haproxy?.serverPid(), master)
    assert.equal((await ask({ port })).status, 200)
  })

  test('what outside says of itself is replaced, and what belongs to one hop ends here', async () => {
    const [only] = await startPair()
    const port = await balance([only])
    await ask({
      port,
      headers: {
        'X-Forwarded-For': '203.0.113.9',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-Host': 'evil.example',
        Forwarded: 'for=203.0.113.9',
        'X-Real-IP': '203.0.113.9',
        Connection: 'keep-alive, Authorization',
        Authorization: 'Bearer x',
        TE: 'trailers',
      },
    })
    const { headers } = only.seen[0] ?? {}
    const { host, ...others } = headers ?? {}
    assert.equal(host, `127.0.0.1:${port}`)
    assert.deepEqual(others, {
      authorization: 'Bearer x',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
    })
  })

  test('what could be read in two ways never reaches a gateway', async () => {
    const [only] = await startPair()
    const port = await balance([only])
    const end = '\r\nHost: shop\r\n\r\n'
    const requests = {
      [`GET /a/../b HTTP/1.1${end}`]: 400,
      [`GET /a%2fb HTTP/1.1${end}`]: 400,
      [`GET /a%252fb HTTP/1.1${end}`]: 400,
      [`GET /a\\b HTTP/1.1${end}`]: 400,
      [`GET //a HTTP/1.1${end}`]: 400,
      'GET / HTTP/1.1\r\n\r\n': 400,
      'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n': 400,
      'GET / HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\n\r\n': 403,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab': 400,
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n': 400,
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n': 400,
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n': 413,
      [`TRACE / HTTP/1.1${end}`]: 405,
      [`GET /${'a'.repeat(20_000)} HTTP/1.1${end}`]: 431,
      [`GET / HTTP/1.1\r\nX-A: ${'a'.repeat(16_000)}${end}`]: 431,
      [`GET / HTTP/1.1\r\nX-A: ${'a'.repeat(40_000)}${end}`]: 400,
      [`GET / HTTP/1.1\r\n${'X-A: a\r\n'.repeat(200)}Host: a\r\n\r\n`]: 400,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n': 400,
    }
    for (const [text, status] of Object.entries(requests)) {
      const { answers } = await converse(
        { host: '127.0.0.1', port },
        { parts: [text], expected: 1 },
      )
      const title = text.slice(0, 60)
      const [answer] = answers
      assert.equal(answer?.status, status, title)
      // What HAProxy cannot read as HTTP at all it answers in its own words.
      if (!answer.body.startsWith('<html>')) assertProblem(answer, status)
      else assert.match(answer.body, /400 Bad request/)
    }
    assert.deepEqual(only.seen, [])
  })

  test('who sends a request too slowly is let go, before a gateway hears of it', async () => {
    const [only] = await startPair()
    const port = await balance([only], { requestMs: 300 })
    const head = 'POST /slow HTTP/1.1\r\nHost: shop\r\nContent-Length: 100\r\n'
    for (const part of [head, `${head}\r\n{`]) {
      const said = await converse({ host: '127.0.0.1', port }, { parts: [part], limitMs: 20_000 })
      assert.equal(said.answers[0]?.status, 408)
      assert.ok(said.isClosed)
    }
    assert.deepEqual(only.seen, [])
  })

  test('an address is let in so often at once, as told by a trusted balancer alone', async () => {
    const [only] = await startPair()
    const trusting = await balance([only], {
      proxyNetworks: ['127.0.0.0/8'],
      connectionsPerSource: 2,
    })
    const hello = 'GET / HTTP/1.1\r\nHost: shop\r\n\r\n'
    const say = (source: string) => [`PROXY TCP4 ${source} 127.0.0.1 4000 80\r\n${hello}`]
    const at = { host: '127.0.0.1', port: trusting }
    // Each is open until it has listened for this long.
    const open = Array.from({ length: 4 }, () =>
      converse(at, { parts: say('203.0.113.9'), limitMs: 2_000 }),
    )
    const closed = (await Promise.all(open)).filter(({ answers }) => answers.length === 0)
    assert.equal(closed.length, 2)
    assert.ok(closed.every(({ isClosed }) => isClosed))
    assert.equal(only.seen.length, 2)
    assert.equal(only.seen[0]?.headers['x-forwarded-for'], '203.0.113.9')
    const other = await converse(at, { parts: say('203.0.113.10'), expected: 1 })
    assert.equal(other.answers[0]?.status, 200)
    await haproxy?.stop()
    const port = await balance([only])
    const untrusted = { parts: say('203.0.113.9'), expected: 1 }
    const { answers } = await converse({ host: '127.0.0.1', port }, untrusted)
    assert.equal(answers[0]?.status, 400)
  })
})

describe('TLS at HAProxy', { skip }, () => {
  const { openssl } = findPrograms()
  const ours = () => provideCertificate({ given: undefined, folder, openssl, now: new Date() })

  type Secured = { isRequired?: boolean; serve?: Parameters<typeof startBackend>[1] }

  async function secure(certificate: Certificate, others: Secured = {}) {
    const [only] = await startPair(others.serve)
    const tlsPort = await freePort()
    const port = await balance([only], {
      tls: {
        host: '127.0.0.1',
        port: tlsPort,
        certificate: certificate.file,
        isRequired: others.isRequired ?? false,
        hstsSeconds: certificate.isSelfMade ? undefined : 1_000,
      },
    })
    return { only, port, tlsPort, ca: readFileSync(certificate.file) }
  }

  test('a certificate of our own is made once, for this user alone, and again before it ends', async () => {
    const made = await ours()
    assert.equal(statSync(made.file).mode & 0o777, 0o600)
    const text = readFileSync(made.file, 'utf8')
    assert.equal((await ours()).endsAt.getTime(), made.endsAt.getTime())
    assert.equal(readFileSync(made.file, 'utf8'), text)
    const soonOver = new Date(made.endsAt.getTime() - 29 * 24 * 60 * 60_000)
    await provideCertificate({ given: undefined, folder, openssl, now: soonOver })
    assert.notEqual(readFileSync(made.file, 'utf8'), text)
    const nothing = { given: undefined, folder: join(folder, 'none'), openssl: undefined }
    await assert.rejects(provideCertificate({ ...nothing, now: new Date() }), {
      code: 'OPENSSL_MISSING',
      message: /--certificate FILE/,
    })
  })

  test('a given certificate is checked before it is used', async () => {
    const { file, endsAt } = await ours()
    const check = (given: string, now = new Date()) =>
      provideCertificate({ given, folder, openssl: undefined, now })
    assert.deepEqual(await check(file), { file, isSelfMade: false, endsAt })
    const code = 'CERTIFICATE_UNUSABLE'
    await assert.rejects(check(join(folder, 'absent.pem')), { code, message: /no such file/ })
    await assert.rejects(check(import.meta.filename), { code, message: /missing or broken/ })
    await assert.rejects(check(file, new Date(endsAt.getTime() + 1)), { code, message: /it ended/ })
  })

  test('people come in by HTTP/2 and by HTTP/1.1, with a certificate for localhost', async () => {
    const { only, tlsPort, ca } = await secure(await ours())
    const session = connectHttp2(`https://localhost:${tlsPort}`, { ca })
    const stream = session.request({ ':path': '/two', 'x-forwarded-proto': 'http' })
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    stream.resume()
    await once(stream, 'end')
    session.close()
    assert.equal(headers[':status'], 200)
    assert.equal(headers['strict-transport-security'], undefined)
    const status = await new Promise((resolve, reject) => {
      const url = `https://127.0.0.1:${tlsPort}/one`
      getSecurely(url, { ca, agent: false }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode))
      }).once('error', reject)
    })
    assert.equal(status, 200)
    assert.deepEqual(
      only.seen.map(({ url, headers: { 'x-forwarded-proto': proto } }) => [url, proto]),
      [
        ['/two', 'https'],
        ['/one', 'https'],
      ],
    )
  })

  test('over HTTP/2 too a broken order is told, so that no browser sends it again', async () => {
    const { only, tlsPort, ca } = await secure(await ours(), {
      serve: (request) => request.socket.destroy(),
    })
    const session = connectHttp2(`https://localhost:${tlsPort}`, { ca })
    for (const count of [1, 2, 3]) {
      const stream = session.request({ ':method': 'POST', ':path': '/' })
      stream.end('{}')
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
      stream.resume()
      await once(stream, 'end')
      assert.equal(headers[':status'], 502)
      assert.equal(only.seen.length, count)
    }
    session.close()
  })

  test('where TLS is required, pages are sent there; browsers are told of a real certificate', async () => {
    const { file, endsAt } = await ours()
    const { port, tlsPort, ca } = await secure(
      { file, endsAt, isSelfMade: false },
      { isRequired: true },
    )
    const headers = { host: 'shop.example:80' }
    const answer = await ask({ port, path: '/products?q=a%20b', headers })
    assert.equal(answer.status, 308)
    const to = `https://shop.example:${tlsPort}/products?q=a%20b`
    assert.equal(answer.headers.location, to)
    const session = connectHttp2(`https://localhost:${tlsPort}`, { ca })
    const stream = session.request({ ':path': '/' })
    const [answered] = (await once(stream, 'response')) as [Record<string, unknown>]
    session.destroy()
    assert.equal(answered['strict-transport-security'], 'max-age=1000')
  })
})
