import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from '../src/index.ts'
import { json, problem, type Reply, startServer } from './server.ts'

const server = await startServer()

/** Good is one token; whatever comes with another is refused. */
const onlyFor =
  (token: string): Reply =>
  (response, seen) => {
    const isGood = seen.headers.authorization === `Bearer ${token}`
    const reply = isGood ? json(200, { id: token }) : problem(401, 'TOKEN_EXPIRED')
    reply(response, seen)
  }

test('calls carry the token that the client is told', async () => {
  server.answer(json(200, {}))
  const halles = createClient({ baseUrl: server.url })
  await halles.getMe()
  halles.useToken('one')
  await halles.getMe()
  await halles.getMe({ token: 'another' })
  halles.useToken(undefined)
  await halles.getMe()
  assert.deepEqual(
    server.seen.map(({ headers }) => headers.authorization),
    [undefined, 'Bearer one', 'Bearer another', undefined],
  )
})

test('what everybody may ask is asked without a token', async () => {
  server.answer(json(200, {}))
  await createClient({ baseUrl: server.url, token: 'one' }).getProduct({
    params: { idOrSlug: 'a' },
  })
  assert.equal(server.seen[0]?.headers.authorization, undefined)
})

test('a token is renewed once, however many calls meet its end', async () => {
  server.answer(onlyFor('new'))
  let asked = 0
  const halles = createClient({
    baseUrl: server.url,
    token: 'old',
    onExpired: async () => {
      asked += 1
      return 'new'
    },
  })
  const answers = await Promise.all(Array.from({ length: 10 }, () => halles.getMe()))
  assert.ok(answers.every(({ data }) => data.id === 'new'))
  assert.equal(asked, 1)
  await halles.getMe()
  assert.equal(asked, 1)
})

test('a change goes on with the new token too', async () => {
  server.answer(onlyFor('new'))
  const onExpired = async () => 'new'
  const halles = createClient({ baseUrl: server.url, token: 'old', onExpired })
  await halles.updateMe({ body: { name: 'Odette' } })
  assert.deepEqual(
    server.seen.map(({ body }) => body),
    ['{"name":"Odette"}', '{"name":"Odette"}'],
  )
})

test('without a new token the refusal is thrown, and so is what keeps the client from one', async () => {
  server.answer(onlyFor('new'))
  const options = { baseUrl: server.url, token: 'old' }
  await assert.rejects(createClient(options).getMe(), { code: 'TOKEN_EXPIRED' })
  const ended = createClient({ ...options, onExpired: async () => undefined })
  await assert.rejects(ended.getMe(), { code: 'TOKEN_EXPIRED' })
  const broken = createClient({
    ...options,
    onExpired: async () => {
      throw new Error('The session is over.')
    },
  })
  await assert.rejects(broken.getMe(), { message: 'The session is over.' })
})

test('a token that is refused again is not renewed for ever, nor is one of a single call', async () => {
  server.answer(onlyFor('never'))
  let asked = 0
  const onExpired = async () => {
    asked += 1
    return `new-${asked}`
  }
  const halles = createClient({ baseUrl: server.url, token: 'old', onExpired })
  await assert.rejects(halles.getMe(), { status: 401 })
  assert.equal(asked, 1)
  await assert.rejects(halles.getOrder({ params: { orderId: 'a' }, token: 'order' }), {
    status: 401,
  })
  assert.equal(asked, 1)
})
