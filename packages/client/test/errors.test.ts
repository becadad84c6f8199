import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient, HallesError, isHallesError, isTemporary } from '../src/index.ts'
import { json, problem, startServer } from './server.ts'

const server = await startServer()
const halles = createClient({ baseUrl: server.url, tries: 1 })

async function failure(call: Promise<unknown>): Promise<HallesError> {
  const error = await call.then(
    () => assert.fail('The call succeeded.'),
    (each: unknown) => each,
  )
  assert.ok(error instanceof HallesError)
  return error
}

test('a refusal is one error with the code, the fields and the trace', async () => {
  const errors = [{ pointer: '/body/email', detail: 'must be an e-mail' }]
  server.answer(problem(400, 'INVALID_REQUEST', { errors, traceId: 'abc', hint: 1 }))
  const body = { email: 'x', password: 'market-place', name: 'Odette' }
  const error = await failure(halles.signUp({ body }))
  const { operation, code, status, fields, traceId, message } = error
  assert.deepEqual(
    { operation, code, status, fields, traceId, message },
    {
      operation: 'signUp',
      code: 'INVALID_REQUEST',
      status: 400,
      fields: errors,
      traceId: 'abc',
      message: 'signUp: INVALID_REQUEST: It is INVALID_REQUEST.',
    },
  )
  assert.equal(error.problem.hint, 1)
  assert.ok(!message.includes('market-place') && !JSON.stringify(error).includes('market-place'))
})

test('a guard tells one code from the others, and an error from anything else', async () => {
  server.answer(problem(409, 'PRICE_CHANGED'))
  const error: unknown = await failure(halles.getMe())
  assert.ok(isHallesError(error))
  assert.ok(isHallesError(error, 'OUT_OF_STOCK', 'PRICE_CHANGED'))
  assert.ok(!isHallesError(error, 'OUT_OF_STOCK'))
  assert.ok(!isTemporary(error))
  assert.ok(!isHallesError(new Error('PRICE_CHANGED')))
})

test('what does not speak as Halles does is no answer of its', async () => {
  for (const reply of [
    json(502, '<html>', { 'content-type': 'text/html' }),
    json(200, '<html>', { 'content-type': 'text/html' }),
    json(500, { error: 'x' }),
  ]) {
    server.answer(reply)
    assert.equal((await failure(halles.getMe())).code, 'UNKNOWN_ANSWER')
  }
})

test('where nobody listens there is no answer', async () => {
  const nobody = createClient({ baseUrl: 'http://127.0.0.1:1', tries: 1 })
  const error = await failure(nobody.getMe())
  assert.equal(error.code, 'NO_ANSWER')
  assert.equal(error.status, 0)
  assert.ok(isTemporary(error))
})

test('a server that sends elsewhere is not followed', async () => {
  server.answer((response) => response.writeHead(302, { location: '/elsewhere' }).end())
  assert.equal((await failure(halles.getMe())).code, 'NO_ANSWER')
  assert.equal(server.seen.length, 1)
})
