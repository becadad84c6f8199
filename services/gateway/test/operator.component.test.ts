import assert from 'node:assert/strict'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, test } from 'node:test'
import type { DeadLetter, DeadLetterDetail } from '@halles/contracts/gen/http/gateway'
import { schemas } from '@halles/contracts/gen/schemas'
import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import type { Message, Messaging } from '@halles/kit/messaging'
import { createPostgresMessaging } from '@halles/kit/messaging/postgres'
import {
  createTestDatabase,
  eventually,
  silentLogger,
  type TestDatabase,
} from '@halles/kit/testing'
import { startTokenAuthority, type TokenAuthority } from '@halles/kit/testing-authority'
import { createApp } from '../src/app.ts'
import { loadGatewayConfig } from '../src/config.ts'
import { fetchUnshed } from './unshed.ts'

const internalSecret = 'x'.repeat(32)
const operator = uuidv7()
const roles = [
  { role: 'operator', permissions: ['system:read', 'system:write'], version: 1 },
  { role: 'auditor', permissions: ['system:read'], version: 1 },
]

type Entry = { id: string; actorId: string; action: string; target: string; details: object }
type Answer = { status: number; headers: Headers; body: Record<string, unknown> }

/** Rbac and carts, as far as the gateway calls them. */
async function startNeighbours() {
  const audit: Entry[] = []
  const state = { audit: 204, rebuild: { status: 200, body: {} as object }, rebuilds: 0 }
  const server = createServer(async (request, response) => {
    const text = await textOf(request)
    const answer = (status: number, body?: object) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body && JSON.stringify(body))
    }
    if (request.url === '/internal/v1/policy') return answer(200, { roles })
    if (request.url === '/readyz') return answer(200)
    assert.equal(request.headers.authorization, `Internal ${internalSecret}`)
    if (request.url === '/internal/v1/audit-entries') {
      if (state.audit === 204) audit.push(JSON.parse(text))
      return answer(state.audit)
    }
    assert.equal(`${request.method} ${request.url}`, 'POST /internal/v1/replica/rebuilds')
    state.rebuilds += 1
    answer(state.rebuild.status, state.rebuild.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    audit,
    state,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

describe('what an operator does', () => {
  let broker: TestDatabase
  let neighbours: Awaited<ReturnType<typeof startNeighbours>>
  let authority: TokenAuthority
  let app: ReturnType<typeof createApp>
  let messaging: Messaging
  let isRefusing = true
  const applied: string[] = []

  before(async () => {
    broker = await createTestDatabase()
    neighbours = await startNeighbours()
    authority = await startTokenAuthority()
    const names = 'AUTH RBAC CUSTOMERS PRODUCTS WISHLISTS CARTS ORDERS PAYMENTS'.split(' ')
    app = createApp(
      loadGatewayConfig({
        ...Object.fromEntries(names.map((name) => [`${name}_URLS`, neighbours.url])),
        WISHLISTS_URLS: 'http://127.0.0.1:9',
        JWKS_URLS: authority.jwksUrl,
        PORT: '0',
        HOST: '127.0.0.1',
        LOG_LEVEL: 'silent',
        MESSAGES_URL: broker.url,
        INTERNAL_SECRET: internalSecret,
      }),
    )
    await app.start()
    messaging = createPostgresMessaging({
      ...{ url: broker.url, service: 'carts', instance: 'test', logger: silentLogger() },
    })
    messaging.consumeQueue({
      queue: 'test.commands',
      prefetch: 1,
      async handler({ message }) {
        if (isRefusing) throw new AppError('invalid', 'REFUSED', 'It is refused on purpose.')
        applied.push(message.id)
      },
    })
    await messaging.start()
  })

  after(async () => {
    await app.stop()
    await messaging.stop()
    await neighbours.stop()
    authority.close()
    await broker.drop()
  })

  beforeEach(() => {
    isRefusing = true
    applied.length = 0
    neighbours.audit.length = 0
    Object.assign(neighbours.state, { audit: 204, rebuild: { status: 200, body: {} }, rebuilds: 0 })
  })

  async function call(
    method: string,
    path: string,
    { as = 'operator', body }: { as?: string; body?: object } = {},
  ): Promise<Answer> {
    const answer = await fetchUnshed(`http://127.0.0.1:${app.port()}/api/v1/system${path}`, () => ({
      method,
      headers: {
        authorization: authority.bearer(operator, [as]),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    }))
    const text = await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      body: text === '' ? {} : JSON.parse(text),
    }
  }

  /** Makes dead letters of a type of their own, and returns them oldest first. */
  async function makeLetters(count: number): Promise<DeadLetter[]> {
    const type = `halles.test.t${uuidv7().slice(-12)}.v1`
    const messages = Array.from({ length: count }, (): Message => {
      const id = uuidv7()
      const key = { subject: 'k', partitionkey: 'k', source: '/halles/test' }
      const time = new Date().toISOString()
      const data = { secret: 'personal' }
      return {
        ...{ specversion: '1.0', datacontenttype: 'application/json' },
        ...{ id, type, time, data },
        ...key,
      }
    })
    for (const message of messages) {
      await messaging.publisher.publish([
        { address: { kind: 'queue', name: 'test.commands' }, message },
      ])
    }
    return eventually(async () => {
      const { body } = await call('GET', `/dead-letters?type=${type}&limit=100`)
      const items = body.items as DeadLetter[]
      assert.equal(items.length, count)
      return items.toReversed()
    })
  }

  const first = (letters: DeadLetter[]) => {
    const [letter] = letters
    assert.ok(letter)
    return letter
  }

  test('dead letters are listed by service, type and age, without their bodies', async () => {
    const letter = first(await makeLetters(1))
    assert.equal(letter.service, 'carts')
    assert.deepEqual([letter.code, letter.attempts], ['REFUSED', 1])
    assert.ok(!JSON.stringify(letter).includes('personal'))
    const find = async (query: string) => {
      const { status, body } = await call('GET', `/dead-letters?type=${letter.type}&${query}`)
      assert.equal(status, 200)
      return (body.items as DeadLetter[]).length
    }
    const at = encodeURIComponent(letter.deadAt)
    const later = encodeURIComponent(new Date(Date.parse(letter.deadAt) + 1_000).toISOString())
    assert.equal(await find('service=carts'), 1)
    assert.equal(await find('service=auth'), 0)
    assert.equal(await find(`failedBefore=${later}`), 1)
    assert.equal(await find(`failedBefore=${at}`), 0)
    assert.equal(await find(`failedAfter=${at}`), 1)
    assert.equal(await find(`failedAfter=${later}`), 0)
    const bad = await call('GET', '/dead-letters?failedBefore=yesterday')
    assert.equal(bad.status, 400)
  })

  test('an auditor may list dead letters, and neither read nor touch one', async () => {
    const { id } = first(await makeLetters(1))
    assert.equal((await call('GET', '/dead-letters', { as: 'auditor' })).status, 200)
    for (const [method, path, body] of [
      ['GET', `/dead-letters/${id}`],
      ['POST', `/dead-letters/${id}/replay`],
      ['POST', `/dead-letters/${id}/discard`, { reason: 'x' }],
      ['POST', '/dead-letters/replays', {}],
      ['POST', '/services/carts/rebuild'],
    ] as const) {
      const { status } = await call(method, path, { as: 'auditor', ...(body && { body }) })
      assert.equal(status, 403, path)
    }
    assert.deepEqual(neighbours.audit, [])
    assert.equal((await call('GET', `/dead-letters/${id}`)).status, 200)
  })

  test('a dead letter is read with its body and history, and the reading is audited', async () => {
    const letter = first(await makeLetters(1))
    const { status, body } = await call('GET', `/dead-letters/${letter.id}`)
    assert.equal(status, 200)
    const detail = body as unknown as DeadLetterDetail
    assert.deepEqual(detail.message.data, { secret: 'personal' })
    assert.equal(detail.message.type, letter.type)
    assert.deepEqual(
      detail.history.map(({ attempt, code }) => [attempt, code]),
      [[1, 'REFUSED']],
    )
    const [entry, ...others] = neighbours.audit
    assert.equal(others.length, 0)
    assert.deepEqual(
      [entry?.actorId, entry?.action, entry?.target],
      [operator, 'dead-letter-read', `dead-letter:${letter.id}`],
    )
    assert.ok(!JSON.stringify(entry).includes('personal'))
    const missing = await call('GET', `/dead-letters/${uuidv7()}`)
    assert.deepEqual([missing.status, missing.body.code], [404, 'DEAD_LETTER_NOT_FOUND'])
  })

  test('a replayed letter reaches its consumer again, a discarded one is gone', async () => {
    const [replayed, discarded] = await makeLetters(2)
    assert.ok(replayed && discarded)
    isRefusing = false
    assert.equal((await call('POST', `/dead-letters/${replayed.id}/replay`)).status, 202)
    await eventually(() => applied.length === 1)
    const path = `/dead-letters/${discarded.id}/discard`
    for (const body of [{}, { reason: ' ' }, { reason: 'x'.repeat(301) }]) {
      assert.equal((await call('POST', path, { body })).status, 400)
    }
    const body = { reason: 'The product was made up.' }
    assert.equal((await call('POST', path, { body })).status, 204)
    assert.equal((await call('POST', path, { body })).status, 404)
    const left = await call('GET', `/dead-letters?type=${replayed.type}`)
    assert.deepEqual(left.body.items, [])
    assert.deepEqual(
      neighbours.audit.map(({ action, target }) => [action, target]),
      [
        ['dead-letter-replay', `dead-letter:${replayed.id}`],
        ['dead-letter-discard', `dead-letter:${discarded.id}`],
      ],
    )
    assert.match(JSON.stringify(neighbours.audit[1]), /The product was made up/)
  })

  test('what cannot be recorded in the audit log is not done', async () => {
    const { id, type } = first(await makeLetters(1))
    isRefusing = false
    neighbours.state.audit = 500
    for (const [method, path, body] of [
      ['GET', `/dead-letters/${id}`],
      ['POST', `/dead-letters/${id}/replay`],
      ['POST', `/dead-letters/${id}/discard`, { reason: 'x' }],
      ['POST', '/dead-letters/replays', { type }],
      ['POST', '/services/carts/rebuild'],
    ] as const) {
      const answer = await call(method, path, body && { body })
      assert.deepEqual([answer.status, answer.body.code], [503, 'AUDIT_UNAVAILABLE'], path)
      assert.ok(Number(answer.headers.get('retry-after')) > 0)
    }
    const { body } = await call('GET', `/dead-letters?type=${type}`)
    assert.equal((body.items as unknown[]).length, 1)
    assert.equal(neighbours.state.rebuilds, 0)
  })

  test('many letters are replayed by one request, oldest first, and what is left is told', async () => {
    const letters = await makeLetters(5)
    const { type } = first(letters)
    isRefusing = false
    const request = { type, limit: 3, ratePerSecond: 50 }
    const some = await call('POST', '/dead-letters/replays', { body: request })
    assert.deepEqual(some.body, { replayed: 3, failed: [], hasMore: true })
    const rest = await call('POST', '/dead-letters/replays', { body: request })
    assert.deepEqual(rest.body, { replayed: 2, failed: [], hasMore: false })
    const none = await call('POST', '/dead-letters/replays', { body: request })
    assert.deepEqual(none.body, { replayed: 0, failed: [], hasMore: false })
    await eventually(() => applied.length === 5)
    const recorded = neighbours.audit.map(({ action, details }) => [
      action,
      (details as { deadLetterIds: string[] }).deadLetterIds.length,
    ])
    assert.deepEqual(recorded, [
      ['dead-letters-replay', 3],
      ['dead-letters-replay', 2],
    ])
    for (const body of [{ limit: 101 }, { ratePerSecond: 51 }, { all: true }]) {
      assert.equal((await call('POST', '/dead-letters/replays', { body })).status, 400)
    }
  })

  test('a rebuild answers what the service says', async () => {
    const path = '/services/carts/rebuild'
    neighbours.state.rebuild = { status: 200, body: { messages: 7, products: 3 } }
    const done = await call('POST', path)
    assert.deepEqual([done.status, done.body], [200, { messages: 7, products: 3 }])
    const problem = { code: 'REBUILD_UNDER_WAY', detail: 'It is being rebuilt.' }
    neighbours.state.rebuild = { status: 409, body: problem }
    const busy = await call('POST', path)
    assert.deepEqual([busy.status, busy.body.code], [409, 'REBUILD_UNDER_WAY'])
    assert.equal(busy.body.service, 'carts')
    assert.equal((await call('POST', '/services/wishlists/rebuild')).status, 503)
    const unknown = await call('POST', '/services/payments/rebuild')
    const [fault] = unknown.body.errors as { pointer: string }[]
    assert.deepEqual([unknown.status, fault?.pointer], [400, '/params/replicaService'])
    assert.deepEqual(
      neighbours.audit.map(({ action, target }) => [action, target]),
      [
        ['replica-rebuild', 'replica:carts'],
        ['replica-rebuild', 'replica:carts'],
        ['replica-rebuild', 'replica:wishlists'],
      ],
    )
  })

  test('every message type has its schema at its address, for anyone and for caches', async () => {
    const at = (type: string) => `http://127.0.0.1:${app.port()}/schemas/${type}.json`
    for (const [type, schema] of Object.entries(schemas)) {
      const answer = await fetch(at(type))
      assert.equal(answer.status, 200, type)
      assert.match(answer.headers.get('content-type') ?? '', /^application\/schema\+json/)
      assert.match(answer.headers.get('cache-control') ?? '', /^public, max-age=\d+$/)
      assert.deepEqual(await answer.json(), schema)
      const headers = { 'if-none-match': answer.headers.get('etag') ?? '' }
      assert.equal((await fetch(at(type), { headers })).status, 304)
    }
    const unknown = await fetch(at('halles.nobody.sends-this.v1'))
    const problem = (await unknown.json()) as { code: string }
    assert.deepEqual([unknown.status, problem.code], [404, 'SCHEMA_NOT_FOUND'])
    assert.equal((await fetch(at('NOT-A-TYPE'))).status, 400)
    assert.equal((await fetch(`${at('x')}/../secrets`)).status, 404)
  })

  test("the gateway's own routes have a trace and a limit like the others", async () => {
    const url = `http://127.0.0.1:${app.port()}/api/v1/system/dead-letters/x/discard`
    const send = () => fetch(url, { method: 'POST' })
    const one = await send()
    const { traceId } = (await one.json()) as { traceId: string }
    assert.deepEqual([one.status, one.headers.get('x-request-id')], [401, traceId])
    assert.match(one.headers.get('ratelimit') ?? '', /^"write";r=\d+;t=\d+$/)
    const answers = await Promise.all(Array.from({ length: 200 }, send))
    const refused = answers.filter(({ status }) => status === 429)
    assert.ok(refused.length > 0)
    assert.ok(Number(refused[0]?.headers.get('retry-after')) > 0)
  })
})
