import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { readAudit } from '../../outside/audit.ts'
import { expected, parseH2 } from '../../outside/h2.ts'
import { type Failure, judge, ruleFor } from '../../outside/judge.ts'
import { allowed, exceptions, findUnlicensed, readPackages } from '../../outside/licences.ts'
import { isHarmless } from '../../outside/secrets.ts'

const root = resolve(import.meta.dirname, '../../..')

function aFailure(change: Partial<Failure> = {}): Failure {
  return {
    ...{ operation: 'GET /api/v1/products', check: 'positive_data_acceptance', call: '' },
    ...{ status: 400, code: 'INVALID_CURSOR', pointers: ['/query/cursor'], answer: '' },
    ...change,
  }
}

test('a cursor of ours is what no schema can say; anything beside it is a fault', () => {
  assert.ok(ruleFor(aFailure()))
  assert.equal(ruleFor(aFailure({ pointers: ['/query/cursor', '/query/limit'] })), undefined)
  assert.equal(ruleFor(aFailure({ pointers: [] })), undefined)
})

test('no rule excuses a server error, or an answer that is not as its schema', () => {
  assert.equal(ruleFor(aFailure({ status: 500 })), undefined)
  for (const check of [
    ...['not_a_server_error', 'status_code_conformance', 'content_type_conformance'],
    ...['response_schema_conformance', 'response_headers_conformance', 'ignored_auth'],
  ]) {
    assert.equal(ruleFor(aFailure({ check })), undefined, check)
  }
})

test('the events of a run are counted, and what failed is read from its answer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'halles-judge-'))
  const file = join(folder, 'events.ndjson')
  const problem = { code: 'BROKEN', errors: [{ pointer: '/body' }] }
  const content = { $base64: Buffer.from(JSON.stringify(problem)).toString('base64') }
  const interaction = (status: number) => ({
    request: { method: 'GET', uri: 'http://shop/a' },
    response: { status_code: status, content },
  })
  const recorder = {
    label: 'GET /a',
    checks: { one: [{ name: 'x', status: 'success' }], two: [{ name: 'y', status: 'failure' }] },
    interactions: { one: interaction(200), two: interaction(500) },
  }
  const events = [{ EngineStarted: {} }, { ScenarioFinished: { recorder } }]
  writeFileSync(file, events.map((event) => `${JSON.stringify(event)}\n`).join(''))
  const { calls, statuses, faults } = await judge(file)
  rmSync(folder, { recursive: true })
  assert.deepEqual([calls, statuses], [2, { 200: 1, 500: 1 }])
  assert.equal(faults.length, 1)
  const [fault] = faults
  assert.deepEqual(
    [fault?.operation, fault?.check, fault?.status, fault?.code, fault?.pointers],
    ['GET /a', 'y', 500, 'BROKEN', ['/body']],
  )
})

test('every package that the lock file names has a licence that the policy allows', () => {
  const packages = readPackages(root)
  assert.ok(packages.length > 100)
  assert.deepEqual(findUnlicensed(packages), [])
})

test('a licence that the policy does not name is found, also among several', () => {
  const named = (licence: string, name = 'thing') => ({ name, version: '1', licence })
  for (const licence of ['AGPL-3.0-only', 'none', 'MIT AND GPL-2.0-only', 'LGPL-3.0-or-later']) {
    assert.equal(findUnlicensed([named(licence)]).length, 1, licence)
  }
  for (const licence of ['(MIT OR GPL-2.0-only)', 'Apache-2.0 AND MIT']) {
    assert.equal(findUnlicensed([named(licence)]).length, 0, licence)
  }
})

test('the policy names every licence and every exception that the check knows', () => {
  const policy = readFileSync(join(root, 'docs/policies/licences.md'), 'utf8')
  for (const licence of allowed) assert.ok(policy.includes(licence), licence)
  for (const { licence } of exceptions) assert.ok(policy.includes(licence), licence)
  assert.equal(policy.match(/^\| `/gm)?.length, exceptions.length)
})

test('npm’s audit is read, and its silence is no clean bill', () => {
  const found = readAudit('{"vulnerabilities":{"left-pad":{"severity":"high"}}}')
  assert.deepEqual(found, { vulnerable: ['left-pad (high)'] })
  assert.deepEqual(readAudit('{"vulnerabilities":{}}'), { vulnerable: [] })
  assert.deepEqual(readAudit('{"error":{"summary":"405"}}'), { unknown: '405' })
})

test('what h2spec says is read, and a run that broke off is none', () => {
  const [title = ''] = Object.keys(expected)
  const text = `      × 3: ${title}\n\nFailures: \n\n      × 3: ${title}\n\n145 tests, 144 passed, 0 skipped, 1 failed\n`
  assert.deepEqual(parseH2(text), { tests: 145, failed: [title] })
  assert.throws(() => parseH2('connection refused'), /broke off/)
})

test('a key in a file of tests is excused where it was looked at, and nowhere else', () => {
  const leak = { file: 'tests/money/provider.ts', line: 1, rule: 'stripe-access-token' }
  assert.ok(isHarmless(leak))
  assert.ok(!isHarmless({ ...leak, rule: 'private-key' }))
  assert.ok(!isHarmless({ ...leak, file: 'services/payments/src/config.ts' }))
})
