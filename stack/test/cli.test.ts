import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { commands } from '../src/cli/commands.ts'
import { runHalles } from '../src/cli/run.ts'
import { listenForControl } from '../src/control.ts'

type Asked = {
  method: string
  path: string
  query: URLSearchParams
  body: unknown
  token: string
  match: string | undefined
}
type Reply = { status: number; body?: unknown; headers?: Record<string, string> }

const problem = (status: number, code: string, headers = {}): Reply => ({
  status,
  body: { status, code, detail: 'It is refused.' },
  headers: { 'content-type': 'application/problem+json', ...headers },
})

const letter = (id: string) => ({
  ...{ id, address: { kind: 'topic', name: 'products.events.v1' }, group: 'carts' },
  ...{ service: 'carts', type: 'evil\u001b[2J', subject: 'p', code: 'INVALID_MESSAGE' },
  ...{ reason: 'bad', attempts: 1, deadAt: new Date().toISOString() },
})

describe('the command line', () => {
  const asked: Asked[] = []
  let reply: (asked: Asked) => Reply = () => ({ status: 404 })
  let url = ''
  const dataFolder = mkdtempSync(join(tmpdir(), 'halles-cli-'))
  writeFileSync(join(dataFolder, 'admin.json'), '{"email":"a@example.org","password":"secret"}')

  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const { pathname: path, searchParams: query } = new URL(request.url ?? '', 'http://shop')
    const token = request.headers.authorization ?? ''
    const isCsv = request.headers['content-type'] === 'text/csv'
    const seen = {
      ...{ method: request.method ?? '', path, query, token },
      body: text === '' ? undefined : isCsv ? text : JSON.parse(text),
      match: request.headers['if-match'],
    }
    if (path !== '/api/v1/sessions') asked.push(seen)
    const { email } = (seen.body ?? {}) as { email?: string }
    const signedIn = { status: 201, body: { accessToken: `token of ${email}` } }
    const answer: Reply = path === '/api/v1/sessions' ? signedIn : reply(seen)
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
    response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body))
  })
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
    rmSync(dataFolder, { recursive: true })
  })
  beforeEach(() => {
    asked.length = 0
  })

  async function halles(args: string[], env: Record<string, string> = {}) {
    const ended = { code: -1, out: '', err: '' }
    ended.code = await runHalles(args, {
      env: { HALLES_DATA: dataFolder, ...env },
      out: (text) => {
        ended.out += `${text}\n`
      },
      err: (text) => {
        ended.err += `${text}\n`
      },
    })
    return ended
  }
  const atShop = (...args: string[]) => halles([...args, '--url', url])

  test('every command explains itself, and needs no shop for it', async () => {
    for (const args of [['--help'], []]) {
      const { code, out } = await halles(args)
      assert.equal(code, 0)
      for (const { name } of commands) assert.ok(out.includes(name), name)
    }
    for (const { name, options } of commands) {
      const { code, out } = await halles([...name.split(' '), '--help'])
      assert.equal(code, 0)
      for (const option of Object.keys(options)) assert.ok(out.includes(`--${option}`), option)
      assert.match(out, /^Example: npm run halles -- /m)
      assert.match(out, /^Exits 0 when it is done, 1 when .*, 2 when called wrongly\.$/m)
    }
    for (const { name, words, example } of commands) {
      const needsWords = words.some((word) => word.startsWith('<'))
      assert.ok(!needsWords || example !== undefined, `${name}: an example`)
    }
    assert.equal((await halles(['dead-letters', '--help'])).code, 0)
    assert.deepEqual(asked, [])
  })

  test('who calls it wrongly is told how, and nothing is done', async () => {
    for (const args of [
      ['dead-letters'],
      ['make-coffee'],
      ['dead-letters', 'show'],
      ['dead-letters', 'show', 'a', 'b'],
      ['dead-letters', 'replay'],
      ['dead-letters', 'replay', 'a', '--all'],
      ['dead-letters', 'replay', 'a', '--rate', '5'],
      ['dead-letters', 'replay', '--all', '--rate', '51'],
      ['dead-letters', 'replay', '--all', '--older-than', '1 hour'],
      ['dead-letters', 'discard', 'a'],
      ['dead-letters', 'discard', 'a', '--reason', ' '],
      ['topics', 'rebuild', 'orders'],
      ['status', '--loud'],
      ['scale', 'auth'],
      ['scale', 'auth=0'],
      ['scale', 'auth=17'],
      ['scale', 'auth=2', 'auth=3'],
      ['slow', 'carts'],
      ['slow', 'carts', '60001'],
      ['slow', 'carts', '-5'],
      ['restart'],
      ['restart', 'carts', '--all'],
      ['freeze', 'carts', 'orders'],
      // The processes of another machine are not ours to stop.
      ['stop', 'carts'],
    ]) {
      const { code, out, err } = await atShop(...args)
      assert.deepEqual([code, out], [2, ''], args.join(' '))
      assert.notEqual(err, '')
    }
    assert.deepEqual(asked, [])
  })

  test('it signs in as the administrator of this machine, or as it is told', async () => {
    reply = () => ({ status: 202 })
    const replay = ['dead-letters', 'replay', 'x', '--url', url]
    await halles(replay)
    await halles(replay, { HALLES_EMAIL: 'b@example.org', HALLES_PASSWORD: 'p' })
    await halles(replay, { HALLES_TOKEN: 'mine' })
    assert.deepEqual(
      asked.map(({ token }) => token),
      ['Bearer token of a@example.org', 'Bearer token of b@example.org', 'Bearer mine'],
    )
    const elsewhere = await halles(['status', '--url', 'https://shop.example'])
    assert.equal(elsewhere.code, 2)
    assert.match(elsewhere.err, /HALLES_TOKEN/)
  })

  test('a list follows its pages, filters, and does not steer the terminal', async () => {
    reply = ({ query }) => {
      const isFirst = !query.has('cursor')
      const ids = Array.from({ length: isFirst ? 100 : 20 }, (_, index) => `id-${index}`)
      return { status: 200, body: { items: ids.map(letter), nextCursor: isFirst ? 'next' : null } }
    }
    const filter = ['--service', 'carts', '--older-than', '2h', '--limit', '120']
    const { code, out } = await atShop('dead-letters', 'list', ...filter)
    assert.equal(code, 0)
    assert.equal(out.trim().split('\n').length, 121)
    assert.ok(!out.includes('\u001b'))
    const [first, second] = asked
    assert.deepEqual([first?.query.get('limit'), second?.query.get('limit')], ['100', '20'])
    assert.equal(second?.query.get('cursor'), 'next')
    assert.equal(first?.query.get('service'), 'carts')
    const before = Date.parse(first?.query.get('failedBefore') ?? '')
    assert.ok(Math.abs(Date.now() - 7_200_000 - before) < 60_000)
    const json = await atShop('dead-letters', 'list', '--json')
    assert.equal(JSON.parse(json.out).items.length, 100)
  })

  test('a bulk replay goes on to the end, says how far it is, and fails when a letter did', async () => {
    const batches = [
      { replayed: 2, failed: [{ id: 'x', code: 'DEAD_LETTER_NOT_FOUND' }], hasMore: true },
      { replayed: 3, failed: [], hasMore: false },
    ]
    reply = () => ({ status: 200, body: batches.shift() })
    const args = ['--all', '--type', 't', '--rate', '4']
    const { code, out, err } = await atShop('dead-letters', 'replay', ...args)
    assert.equal(code, 1)
    assert.match(out, /^5 replayed, 1 failed\nx {2}DEAD_LETTER_NOT_FOUND$/m)
    assert.match(err, /2 replayed, 1 failed …/)
    const [first, second] = asked.map(({ body }) => body as Record<string, unknown>)
    assert.deepEqual([first?.type, first?.ratePerSecond, first?.limit], ['t', 4, 20])
    // The same moment each time: what dies meanwhile is not replayed again.
    assert.equal(first?.failedBefore, second?.failedBefore)
  })

  test('a bulk replay of which nothing can be replayed ends', async () => {
    const failed = [{ id: 'x', code: 'MESSAGES_UNAVAILABLE' }]
    reply = () => ({ status: 200, body: { replayed: 0, failed, hasMore: true } })
    assert.equal((await atShop('dead-letters', 'replay', '--all')).code, 1)
    assert.equal(asked.length, 1)
  })

  test('what the shop refuses is told with its code, and a deed is not repeated', async () => {
    reply = () => problem(503, 'AUDIT_UNAVAILABLE', { 'retry-after': '1' })
    const { code, err } = await atShop('dead-letters', 'discard', 'x', '--reason', 'why')
    assert.equal(code, 1)
    assert.match(err, /It is refused\. \(AUDIT_UNAVAILABLE\)/)
    assert.equal(asked.length, 1)
    const away = await halles(['status', '--url', 'http://127.0.0.1:9'])
    assert.equal(away.code, 1)
    assert.match(away.err, /SHOP_UNREACHABLE/)
  })

  test('a rebuild tells what it went through', async () => {
    reply = () => ({ status: 200, body: { messages: 12, products: 5 } })
    const { code, out } = await atShop('topics', 'rebuild', 'carts')
    assert.deepEqual([code, out], [0, 'carts: 5 products from 12 messages.\n'])
    assert.equal(asked[0]?.path, '/api/v1/system/services/carts/rebuild')
  })

  test('what is done to processes is asked of the stack itself, without signing in', async () => {
    assert.match((await halles(['processes'])).err, /STACK_NOT_RUNNING/)
    const entry = { part: 'carts', instance: 'carts-1', pid: 7, restarts: 2, slowedByMs: 0 }
    let entries: unknown[] = [{ ...entry, state: 'frozen' }]
    const requests: unknown[] = []
    const control = await listenForControl(dataFolder, async (request, say) => {
      requests.push(request)
      if (request.command === 'scale') say('auth-2 is ready')
      if (request.command === 'kill') throw new Error('It is refused.')
      return entries
    })
    const lines = [
      ['stop', 'carts'],
      ['thaw', 'carts-1'],
      ['slow', 'carts', '2000'],
      ['scale', 'auth=2', 'rbac=1'],
      ['restart', 'carts', 'postgres'],
      ['restart', '--all'],
    ]
    for (const line of lines) assert.equal((await halles(line)).code, 0, line.join(' '))
    assert.deepEqual(requests, [
      { command: 'stop', part: 'carts' },
      { command: 'thaw', part: 'carts-1' },
      { command: 'slow', part: 'carts', byMs: 2_000 },
      { command: 'scale', replicas: { auth: 2, rbac: 1 } },
      { command: 'restart', parts: ['carts', 'postgres'] },
      { command: 'restart', parts: 'all' },
    ])
    assert.match((await halles(['scale', 'auth=2'])).err, /^auth-2 is ready$/m)
    const refused = await halles(['kill', 'carts'])
    assert.deepEqual([refused.code, refused.err], [1, 'It is refused. (FAILED)\n'])
    const frozen = await halles(['processes'])
    assert.equal(frozen.code, 1)
    assert.match(frozen.out, /^carts +carts-1 +7 +2 +frozen$/m)
    entries = [{ ...entry, state: 'ready', slowedByMs: 50 }]
    const slowed = await halles(['processes'])
    assert.equal(slowed.code, 0)
    assert.match(slowed.out, /ready, 50 ms late$/m)
    assert.deepEqual(JSON.parse((await halles(['processes', '--json'])).out), entries)
    control.close()
  })

  test('the status fails while an instance is not ready', async () => {
    const instance = (state: string) => ({ service: 'carts', id: 'c-1', address: 'x', state })
    const system = (state: string) => ({
      ...{ instances: [instance(state)], breakers: [], deadLetters: 3 },
      queues: [{ name: 'q', waiting: 7 }],
      topics: [{ name: 't', groups: [{ name: 'g', lag: 9 }] }],
    })
    reply = () => ({ status: 200, body: system('ready') })
    const well = await atShop('status')
    assert.equal(well.code, 0)
    assert.match(well.out, /carts +c-1 +x +ready/)
    assert.match(well.out, /^queues:\nNAME +WAITING +IN FLIGHT\nq +7$/m)
    assert.match(well.out, /^open breakers: none\ndead letters: 3$/m)
    reply = () => ({ status: 200, body: system('unreachable') })
    assert.equal((await atShop('status')).code, 1)
  })

  describe('roles', () => {
    const ada = '0197c9d0-0000-7000-8000-000000000001'
    let held: string[] = []
    beforeEach(() => {
      held = ['support']
      reply = ({ method, path, body }) => {
        const people = [
          { id: 'x', email: 'hada@example.com' },
          { id: ada, email: 'ada@example.com' },
        ]
        if (path === '/api/v1/customers') return { status: 200, body: { items: people } }
        if (path !== `/api/v1/subjects/${ada}/roles`) return problem(404, 'ROUTE_NOT_FOUND')
        if (method === 'PUT') held = (body as { roles: string[] }).roles
        return { status: 200, body: { subjectId: ada, roles: held, version: 4 } }
      }
    })

    test('are given and taken by e-mail, as nobody else has changed them meanwhile', async () => {
      const granted = await atShop('roles', 'grant', 'Ada@example.com', 'auditor', 'support')
      assert.equal(granted.code, 0)
      assert.match(granted.out, /^Ada@example\.com \(.*\): support, auditor$/m)
      assert.deepEqual(asked.at(-1)?.body, { roles: ['support', 'auditor'] })
      assert.equal(asked.at(-1)?.match, '"4"')
      assert.equal((await atShop('roles', 'revoke', ada, 'support')).code, 0)
      assert.deepEqual(held, ['auditor'])
      const shown = await atShop('roles', 'show', ada, '--json')
      assert.deepEqual(JSON.parse(shown.out), { subjectId: ada, roles: ['auditor'], version: 4 })
    })

    test('that somebody has already are not written again', async () => {
      assert.equal((await atShop('roles', 'grant', ada, 'support')).code, 0)
      assert.ok(asked.every(({ method }) => method === 'GET'))
    })

    test('of nobody, or with another spelling, are refused with what to do', async () => {
      const stranger = await atShop('roles', 'show', 'eve@example.com')
      assert.deepEqual([stranger.code, stranger.err.includes('PERSON_UNKNOWN')], [1, true])
      assert.equal((await atShop('roles', 'show', 'ada')).code, 2)
      assert.equal((await atShop('roles', 'grant', ada, 'Support!')).code, 2)
      assert.equal((await atShop('roles', 'grant', ada)).code, 2)
    })
  })

  test('a file is imported and followed to its end; one that is not there is a failure', async () => {
    const file = join(dataFolder, 'goods.csv')
    writeFileSync(file, 'Handle,Title\nlamp,Lamp\n')
    const counts = { created: 1, updated: 0, unchanged: 2, rejectedTotal: 1 }
    const rejected = [{ line: 7, reason: 'It has no price.' }]
    const state = (status: string) => ({
      ...{ id: 'i', status, format: 'shopify', total: 3, done: 3, problem: null, ...counts },
      ...{ rejected, rejectedByReason: { 'It has no price.': 1 } },
    })
    reply = ({ method }) => ({
      status: 200,
      body: state(method === 'POST' ? 'running' : 'finished'),
    })
    const done = await atShop('import', file, '--currency', 'EUR')
    assert.equal(done.code, 0, done.err)
    assert.match(done.out, /1 created, 0 updated, 2 unchanged; 1 rows rejected/)
    assert.match(done.out, /line +7 {2}It has no price\./)
    assert.equal(asked[0]?.query.get('currency'), 'EUR')
    const away = await atShop('import', join(dataFolder, 'away.csv'), '--json')
    assert.equal(away.code, 1)
    assert.equal(JSON.parse(away.out).failures.length, 1)
    for (const line of [['import'], ['import', file, '--currency', 'euro']]) {
      assert.equal((await halles(line)).code, 2)
    }
  })
})
