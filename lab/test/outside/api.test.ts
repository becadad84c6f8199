import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { toolForTests } from '../../../stack/src/tools/cached-tool.ts'
import { checkApi, describeFaults } from '../../outside/api.ts'
import { runApi } from '../../outside/run-api.ts'
import { schemathesis } from '../../outside/schemathesis.ts'

const python = await toolForTests(schemathesis)
const skip = 'skip' in python && python.skip

test('a stranger who knows the OpenAPI document alone gets no answer beside it', {
  skip,
}, async (t) => {
  const seed = Number(process.env.HALLES_TEST_SEED ?? 1)
  const said: string[] = []
  const verdicts = await checkApi({ size: 'short', seed, only: [], say: (text) => said.push(text) })
  const faults = verdicts.flatMap((each) => each.faults)
  assert.deepEqual(faults, [], describeFaults(faults))
  const calls = verdicts.reduce((sum, each) => sum + each.calls, 0)
  assert.ok(calls >= 300, said.join('\n'))
  t.diagnostic(`${calls} generated calls`)
})

test('a shop that breaks, or says what its document does not, is found out', { skip }, async () => {
  const answers: Record<string, [status: number, body: unknown]> = {
    '/broken': [500, { code: 'BROKEN' }],
    '/other': [200, { count: 'many' }],
    '/good': [200, { count: 1 }],
  }
  const server = createServer(({ url = '' }, response) => {
    const [status, body] = answers[url] ?? [404, {}]
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle))
  const { port } = server.address() as AddressInfo
  const folder = mkdtempSync(join(tmpdir(), 'halles-planted-'))
  const document = join(folder, 'openapi.json')
  const schema = {
    type: 'object',
    properties: { count: { type: 'integer' } },
    required: ['count'],
  }
  const content = { 'application/json': { schema } }
  const operation = { responses: { 200: { description: 'Done.', content } } }
  const paths = Object.fromEntries(Object.keys(answers).map((path) => [path, { get: operation }]))
  const info = { title: 'A shop', version: '1' }
  writeFileSync(document, JSON.stringify({ openapi: '3.1.0', info, paths }))
  const caller = { role: 'guest', token: async () => undefined, known: {} }
  try {
    const { faults } = await runApi(
      { name: 'planted', caller, size: 'short', seed: 1, operations: { without: [] } },
      { python: await schemathesis.provide(), url: `http://127.0.0.1:${port}`, document, folder },
    )
    const found = new Set(faults.map(({ operation: name, check }) => `${name} ${check}`))
    assert.ok(found.has('GET /broken not_a_server_error'), [...found].join(', '))
    assert.ok(found.has('GET /other response_schema_conformance'), [...found].join(', '))
    assert.ok(![...found].some((each) => each.startsWith('GET /good')), [...found].join(', '))
  } finally {
    server.close()
    rmSync(folder, { recursive: true })
  }
})
