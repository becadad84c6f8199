import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import type {
  SystemArchitecture,
  SystemInstance,
  SystemPicture,
  SystemState,
} from '@halles/contracts/gen/http/gateway'
import { uuidv7 } from '@halles/kit/ids'
import { createTestDatabase, eventually, freePort, type TestDatabase } from '@halles/kit/testing'
import { startTokenAuthority, type TokenAuthority } from '@halles/kit/testing-authority'
import { createApp } from '../src/app.ts'
import { loadGatewayConfig } from '../src/config.ts'
import { aReport } from './system/reports.ts'
import { startStackSocket } from './system/stack-socket.ts'
import { fetchUnshed } from './unshed.ts'

const internalSecret = 'x'.repeat(32)
const operator = uuidv7()
const roles = [
  { role: 'operator', permissions: ['system:read', 'system:write'], version: 1 },
  { role: 'auditor', permissions: ['system:read'], version: 1 },
]
const names = 'AUTH RBAC CUSTOMERS PRODUCTS WISHLISTS CARTS ORDERS PAYMENTS'.split(' ')

/** Carts, which has done more each time that it is asked; or all others, which tell nothing of themselves. */
function createNeighbour(state: { vitals: number; audit: number }, isCarts: boolean): Server {
  return createServer((request, response) => {
    const answer = (status: number, body?: object) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body && JSON.stringify(body))
    }
    request.resume()
    if (request.url === '/internal/v1/policy') return answer(200, { roles })
    if (request.url === '/internal/v1/audit-entries') {
      state.audit += 1
      return answer(204)
    }
    if (request.url === '/readyz') return answer(200, { id: 'n', pid: 1, state: 'ready' })
    if (request.url !== '/internal/v1/vitals') return answer(200, {})
    if (!isCarts) return answer(404)
    assert.equal(request.headers.authorization, `Internal ${internalSecret}`)
    state.vitals += 1
    const requests = { count: state.vitals * 10, failures: 0, durations: [], routes: [] }
    const at = new Date().toISOString()
    const problems = [{ at, level: 'warn' as const, code: 'LATE', message: 'It was late.' }]
    answer(200, aReport('carts-1', state.vitals, { requests, problems }))
  })
}

describe('behind the console', () => {
  const state = { vitals: 0, audit: 0 }
  const neighbours = [createNeighbour(state, true), createNeighbour(state, false)]
  let stack: Awaited<ReturnType<typeof startStackSocket>>
  let broker: TestDatabase
  let authority: TokenAuthority
  let apps: ReturnType<typeof createApp>[] = []

  before(async () => {
    ;[broker, authority, stack] = await Promise.all([
      createTestDatabase(),
      startTokenAuthority(),
      startStackSocket(),
    ])
    const urls = await Promise.all(
      neighbours.map(async (server) => {
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      }),
    )
    const ports = [await freePort(), await freePort()]
    apps = ports.map((port, index) =>
      createApp(
        loadGatewayConfig({
          ...Object.fromEntries(names.map((name) => [`${name}_URLS`, urls[1]])),
          CARTS_URLS: urls[0],
          ...{ PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'silent', JWKS_URLS: authority.jwksUrl },
          ...{ MESSAGES_URL: broker.url, INTERNAL_SECRET: internalSecret },
          ...{ INSTANCE_ID: `gateway-${index + 1}`, METRICS_PORT: String(port) },
          GATEWAY_METRICS_URLS: ports.map((each) => `http://127.0.0.1:${each}`).join(','),
          ...(index === 0 && { STACK_CONTROL: stack.path }),
        }),
      ),
    )
    for (const app of apps) await app.start()
  })

  after(async () => {
    await Promise.all(apps.map((app) => app.stop()))
    for (const server of neighbours) server.closeAllConnections()
    for (const server of neighbours) await new Promise((resolve) => server.close(resolve))
    await stack.stop()
    authority.close()
    await broker.drop()
  })

  function ask(path: string, options: { as?: string; gateway?: 0 | 1; body?: object } = {}) {
    const { as = 'operator', gateway = 0, body } = options
    return fetchUnshed(`http://127.0.0.1:${apps[gateway]?.port()}/api/v1/system${path}`, () => ({
      method: body ? 'POST' : 'GET',
      headers: {
        authorization: authority.bearer(operator, [as]),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    }))
  }

  /** What an answer says, which is that of all being well. */
  async function told<T>(path: string, options: { gateway?: 0 | 1 } = {}): Promise<T> {
    const answer = await ask(path, options)
    const text = await answer.text()
    assert.equal(answer.status, 200, text)
    return JSON.parse(text) as T
  }

  async function* watch(options: { gateway?: 0 | 1 } = {}): AsyncGenerator<SystemPicture> {
    const answer = await ask('/events', options)
    assert.equal(answer.status, 200)
    assert.match(answer.headers.get('content-type') ?? '', /^text\/event-stream/)
    let text = ''
    for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) {
        const [, data] = /^event: picture\ndata: (.*)$/.exec(event) ?? []
        if (data !== undefined) yield JSON.parse(data) as SystemPicture
      }
    }
  }

  /** The first picture of which that is true; `meanwhile` is done after each that is not. */
  async function pictureWith(
    isMeant: (picture: SystemPicture) => boolean,
    meanwhile: () => Promise<void> = async () => undefined,
  ): Promise<SystemPicture> {
    for await (const picture of watch()) {
      if (isMeant(picture)) return picture
      await meanwhile()
    }
    throw new Error('The pictures ended.')
  }

  const instancesOf = ({ parts }: SystemPicture, name: string) =>
    parts.find(({ service }) => service === name)?.instances ?? []

  test('pictures show both gateways, the services, and what the stack says', async () => {
    const picture = await pictureWith(
      (each) => instancesOf(each, 'gateway').length === 2 && each.deadLetters !== null,
    )
    assert.deepEqual(
      instancesOf(picture, 'gateway').map(({ id, state: health }) => `${id} ${health}`),
      ['gateway-1 ready', 'gateway-2 ready'],
    )
    assert.equal(instancesOf(picture, 'carts')[0]?.id, 'carts-1')
    assert.equal(picture.toldBy, 'gateway-1')
    assert.equal(picture.processes?.length, 4)
  })

  test('the requests of shoppers are on the arrows', async () => {
    const client = { from: 'client', to: 'gateway' }
    const products = `http://127.0.0.1:${apps[0]?.port()}/api/v1/products`
    // A few for each picture: who asks without a pause spends what the rates allow to this address.
    const shop = async () => {
      for (let count = 0; count < 5; count += 1) await (await fetch(products)).body?.cancel()
    }
    const found = await pictureWith(
      ({ arrows }) =>
        arrows.some(
          ({ from, to, perSecond }) => from === client.from && to === client.to && perSecond > 0,
        ),
      shop,
    )
    assert.ok(found.arrows.some(({ from, to }) => from === 'gateway' && to === 'products'))
  })

  test('an instance tells its numbers and its last errors, at whichever gateway one asks', async () => {
    const found = await eventually(
      async () => {
        const instance = await told<SystemInstance>('/instances/carts-1')
        assert.ok(instance.points.some(({ figures }) => (figures.requestsPerSecond ?? 0) > 0))
        return instance
      },
      { limitMs: 20_000 },
    )
    assert.deepEqual([found.service === 'gateway', found.id], [false, 'carts-1'])
    assert.deepEqual(
      found.problems.map(({ code, message }) => [code, message]),
      [['LATE', 'It was late.']],
    )
    const other = await told<SystemInstance>('/instances/carts-1', { gateway: 1 })
    assert.ok(other.points.length >= found.points.length)
    const unknown = await ask('/instances/nobody-1')
    assert.equal(unknown.status, 404)
    assert.equal(((await unknown.json()) as { code: string }).code, 'INSTANCE_NOT_FOUND')
  })

  test('the architecture is that of the contracts', async () => {
    const { nodes, edges } = await told<SystemArchitecture>('/architecture')
    const ids = nodes.map(({ id }) => id)
    for (const { from, to } of edges) assert.ok(ids.includes(from) && ids.includes(to))
    assert.ok(
      edges.some(
        ({ from, to, kind }) => kind === 'sql' && `${from} ${to}` === 'customers database:users',
      ),
    )
  })

  test('the state of the system tells the breaker of each instance', async () => {
    const { instances } = await told<SystemState>('')
    const services = instances.filter(({ service }) => service !== 'gateway')
    assert.ok(services.length > 0 && services.every(({ breaker }) => breaker === 'closed'))
  })

  test('parts are acted upon where a stack is, by who may, and it is audited', async () => {
    const before = state.audit
    stack.behave(() => ({ result: stack.processes.slice(2, 3) }))
    const actions = '/parts/products-1/actions'
    const done = await ask(actions, { body: { action: 'kill' } })
    assert.equal(done.status, 200)
    const change = (await done.json()) as { isDone: boolean; processes: object[] }
    assert.deepEqual([change.isDone, change.processes.length], [true, 1])
    assert.equal(state.audit, before + 1)
    const later = await ask('/parts/gateway/actions', { body: { action: 'restart' } })
    assert.deepEqual(
      [later.status, ((await later.json()) as { isDone: boolean }).isDone],
      [202, false],
    )
    const more = await ask('/parts/products/scale', { body: { replicas: 2 } })
    assert.equal(more.status, 200)
    await eventually(() => stack.changes().length === 3)
    for (const [path, body, status, as] of [
      [actions, { action: 'explode' }, 400],
      [actions, { action: 'slow' }, 400],
      [actions, { action: 'slow', slowMs: 60_001 }, 400],
      ['/parts/nobody/actions', { action: 'kill' }, 404],
      ['/parts/products/scale', { replicas: 17 }, 400],
      [actions, { action: 'kill' }, 403, 'auditor'],
      ['/parts/products/scale', { replicas: 2 }, 403, 'auditor'],
    ] as const) {
      const refused = await ask(path, { body, ...(as && { as }) })
      assert.equal(refused.status, status, `${path} ${JSON.stringify(body)}`)
      assert.match(refused.headers.get('content-type') ?? '', /^application\/problem\+json/)
    }
    const elsewhere = await ask(actions, { body: { action: 'kill' }, gateway: 1 })
    assert.equal(elsewhere.status, 404)
    assert.equal(((await elsewhere.json()) as { code: string }).code, 'NOT_A_LOCAL_STACK')
    assert.equal(stack.changes().length, 3)
  })

  test('the public server tells nobody of its process, not even by the internal secret', async () => {
    const authorization = `Internal ${internalSecret}`
    for (const path of ['/internal/v1/vitals', '/internal/v1/system/points']) {
      const url = `http://127.0.0.1:${apps[0]?.port()}${path}`
      assert.equal((await fetch(url, { headers: { authorization } })).status, 404)
    }
  })

  test('strangers watch nothing', async () => {
    for (const path of ['/events', '/architecture', '/instances/carts-1']) {
      const url = `http://127.0.0.1:${apps[0]?.port()}/api/v1/system${path}`
      assert.equal((await fetch(url)).status, 401)
    }
  })

  test('a watch ends when its gateway stops, and the other one shows that it is gone', async () => {
    const pictures = watch({ gateway: 1 })
    await pictures.next()
    const stopped = apps[1]?.stop()
    while (!(await pictures.next()).done);
    await stopped
    const picture = await pictureWith(({ parts }) =>
      parts.some(({ instances }) => instances.some(({ state: health }) => health === 'unhealthy')),
    )
    assert.deepEqual(
      instancesOf(picture, 'gateway').map(({ id, state: health }) => `${id} ${health}`),
      ['gateway-1 ready', 'gateway-2 unhealthy'],
    )
  })
})
