import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type DoorCase, doorCases, get, host, post } from './door-cases.ts'
import { type Edge, type Seen, startEdge } from './edge.ts'
import { type Conversation, converse } from './raw.ts'

let edge: Edge
/** A balancer may put right what it reads in one way only, and answers in its own words. */
let isOwn = true
before(async () => {
  edge = await startEdge()
  isOwn = edge.takeSeen() !== undefined
})
after(() => edge.stop())

// Sent behind a request on the same connection: its answer must be the next one, so that it shows
// that the request before had one answer and ended where it was said to end.
const marker = get('/api/v1/nothing-is-here')

for (const each of doorCases) {
  const verdict = each.answer === 'served' ? 'is served' : `is refused with ${each.answer}`
  test(`${each.what} ${verdict}`, async () => {
    edge.takeSeen()
    const said = await say(each)
    // HAProxy takes a client at its word that it speaks HTTP/2, and answers in frames.
    if (isOwn || !each.what.includes('HTTP/2')) {
      assert.equal(said.rest, '', 'whole answers alone')
    }
    const finals = said.answers.filter(({ status }) => status >= 200)
    for (const { status } of finals) assert.ok(status < 500, `${status}`)
    assert.ok(finals.length <= (each.isClosed ? 1 : 2), 'one answer for each request')
    const seen = edge.takeSeen()
    if (seen) judge(each, said, seen)
    const next = await converse(edge.address, { parts: [marker], expected: 1 })
    assert.equal(next.answers[0]?.status, 404, 'the next one is served')
  })
}

function say({ parts, isClosed }: DoorCase): Promise<Conversation> {
  // Another edge may have nothing to say against it, and then keeps the connection.
  const limitMs = isOwn ? 5_000 : 500
  return converse(
    edge.address,
    isClosed ? { parts, limitMs } : { parts: [...parts, marker], expected: 2, limitMs },
  )
}

function judge(each: DoorCase, said: Conversation, seen: readonly Seen[]): void {
  const finals = said.answers.filter(({ status }) => status >= 200)
  const [first] = finals
  assert.ok(first, 'an answer came')
  if (each.answer === 'served') assert.equal(first.status, 200)
  else {
    assert.equal(first.status, each.answer)
    assert.equal(first.headers['content-type'], 'application/problem+json; charset=utf-8')
    assert.equal(first.headers['x-content-type-options'], 'nosniff')
    const { code, status } = JSON.parse(first.body)
    assert.deepEqual([code, status], [each.code ?? code, each.answer])
    assert.deepEqual(seen, [], 'no service was asked')
  }
  assert.equal(said.isClosed, each.isClosed === true, 'closed where the framing is in doubt')
  if (each.isClosed) assert.match(first.headers.connection ?? '', /close/)
  else assert.equal(finals[1]?.status, 404, 'the next request on the connection is understood')
}

test('what follows a request and is none never takes its answer', async () => {
  edge.takeSeen()
  const { answers, isClosed } = await converse(edge.address, {
    parts: [`${post('{}')}garbage\r\n\r\n`],
  })
  assert.equal(isClosed, true)
  assert.equal(answers[0]?.status, 200)
  if (isOwn) assert.equal(answers.length, 1)
  else
    assert.deepEqual(
      answers.slice(1).map(({ status }) => status),
      [400],
    )
})

test('a refused request never has its rest read as another request', async () => {
  edge.takeSeen()
  const hidden = get('/api/v1/carts/smuggled')
  for (const part of [
    post(`0\r\n\r\n${hidden}`, 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'),
    post(`0\r\n\r\n${hidden}`, 'Transfer-Encoding: chunked, identity\r\n'),
    post(hidden, 'Content-Length: 0\r\nContent-Length: 100\r\n'),
    post(`0\r\n\r\n${hidden}`, 'Transfer-Encoding: identity, chunked\r\n'),
    get('/api/v1/products', `Content-Length: ${hidden.length}\r\n`) + hidden,
  ]) {
    const { answers } = await converse(edge.address, { parts: [part] })
    assert.ok(answers.length <= 1, part)
  }
  for (const { url } of edge.takeSeen() ?? []) assert.doesNotMatch(url, /smuggled/)
})

test('headers that claim another address, path, method or host change nothing', async (t) => {
  edge.takeSeen()
  const claims = [
    'X-Forwarded-For: 10.0.0.1',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: https',
    'Forwarded: for=10.0.0.1;host=evil.example;proto=https',
    'X-Original-URL: /internal/v1/policy',
    'X-Rewrite-URL: /internal/v1/policy',
    'X-HTTP-Method-Override: DELETE',
    'X-Subject: root',
    'X-Request-Deadline-Ms: 1',
    'Cookie: session=1',
    'Connection: authorization, x-request-deadline-ms, close',
    'Authorization: Bearer of-nobody',
  ].join('\r\n')
  const part = post('{}', `${claims}\r\n`, '/api/v1/sessions')
  const { answers } = await converse(edge.address, { parts: [part] })
  const seen = edge.takeSeen()
  if (!seen) return t.skip('what reaches a service is seen in a gateway of our own alone')
  assert.equal(answers[0]?.status, 200)
  assert.equal(answers[0]?.headers['strict-transport-security'], undefined)
  const [{ method, url, headers } = assert.fail('no service was asked')] = seen
  assert.deepEqual([method, url], ['POST', '/api/v1/sessions'])
  assert.equal(headers.authorization, 'Bearer of-nobody', 'no Connection header takes it away')
  assert.notEqual(headers['x-request-deadline-ms'], '1')
  for (const name of Object.keys(headers))
    assert.doesNotMatch(name, /^(x-forwarded|forwarded|x-or|x-re[^q]|x-http|x-sub|cookie)/)
})

test('the API takes no cookie and gives none, so there is nothing for another site to forge', async (t) => {
  edge.takeSeen()
  const part = get('/api/v1/carts/current', 'Cookie: session=1\r\nOrigin: https://evil.example\r\n')
  const { answers } = await converse(edge.address, { parts: [part], expected: 1 })
  assert.equal(answers[0]?.status, 401)
  for (const name of Object.keys(answers[0]?.headers ?? {})) {
    assert.doesNotMatch(name, /^(access-control-|set-cookie)/)
  }
  if (!edge.takeSeen()) t.diagnostic('the edge runs elsewhere')
})

test('a trailer is no header', async () => {
  edge.takeSeen()
  const body = '2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\nX-Subject: root\r\n\r\n'
  const { answers } = await converse(edge.address, {
    parts: [post(body, 'Transfer-Encoding: chunked\r\n')],
    expected: 1,
  })
  assert.ok((answers[0]?.status ?? 500) < 500)
  for (const { headers } of edge.takeSeen() ?? []) assert.equal(headers.authorization, undefined)
})

test('a request may come in single bytes', async () => {
  const parts = [...`GET /api/v1/products HTTP/1.1\r\n${host}\r\n`]
  const { answers } = await converse(edge.address, { parts, expected: 1 })
  assert.ok(answers[0] && answers[0].status < 500)
})

test('requests in one go are each answered once, in their order', async () => {
  // A balancer passes them on one by one.
  const count = isOwn ? 2_000 : 100
  const parts = [get('/api/v1/products').repeat(count), marker]
  const { answers, rest } = await converse(edge.address, {
    parts,
    expected: count + 1,
    limitMs: 30_000,
  })
  assert.deepEqual([answers.length, rest], [count + 1, ''])
  assert.equal(answers.at(-1)?.status, 404)
  assert.ok(answers.every(({ status }) => status < 500))
})

test('a client that closes its side is let go', async () => {
  for (const part of [
    get('/api/v1/products'),
    post('{', 'Content-Length: 9\r\n'),
    'GET / HT',
    '',
  ]) {
    const { answers, isClosed } = await converse(edge.address, {
      parts: [part],
      isHalfClosed: true,
    })
    assert.equal(isClosed, true, part)
    assert.ok(answers.length <= 1 && answers.every(({ status }) => status < 500))
  }
})
