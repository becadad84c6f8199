import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { FileResult } from '../src/test-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'halles-runner-'))
mkdirSync(join(folder, 'tests'))
after(() => rmSync(folder, { recursive: true }))

/** Runs a test file with the text given, outside of this run: runs do not nest. */
function outcome(text: string, limitMs = 20_000): FileResult {
  writeFileSync(join(folder, 'tests/a.test.ts'), text)
  const module = JSON.stringify(join(import.meta.dirname, '../src/test-files.ts'))
  const script = `
    const { findTestFiles, runTestFile } = await import(${module})
    const [file] = await findTestFiles(${JSON.stringify(folder)}, { paths: [] })
    console.log(JSON.stringify(await runTestFile(${JSON.stringify(folder)}, file, AbortSignal.timeout(${limitMs}))))
    process.exit(0)`
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  writeFileSync(join(folder, 'run.mjs'), script)
  const args = [join(folder, 'run.mjs')]
  return JSON.parse(execFileSync(process.execPath, args, { env, encoding: 'utf8', cwd: folder }))
}

const head = "import { describe, test } from 'node:test'\n"

test('passed, failed and skipped tests are counted, parents of failures are not', () => {
  const result = outcome(`${head}
    test('fine', () => {})
    test('later', { skip: 'no broker' }, () => {})
    test('parent', async (t) => { await t.test('child', () => { throw new Error('boom') }) })
    describe('suite', () => { test('inner', () => {}) })`)
  assert.equal(result.passed, 2)
  assert.deepEqual(
    result.skips.map(({ title, reason }) => [title, reason]),
    [['later', 'no broker']],
  )
  assert.deepEqual(
    result.failures.map(({ title }) => title),
    ['child'],
  )
  assert.match(result.failures[0]?.text ?? '', /boom/)
})

test('a file that crashes, exits, hangs or holds no test has failed', () => {
  const crash = outcome("throw new Error('at import')")
  assert.equal(crash.failures.length, 1)
  assert.match(crash.failures[0]?.text ?? '', /at import/)
  assert.equal(
    outcome(`${head} test('a', () => {}); test('b', () => process.exit(0))`).failures.length,
    1,
  )
  const hang = outcome(`${head} setInterval(() => {}, 1000); test('a', () => {})`, 1_500)
  assert.match(hang.failures[0]?.text ?? '', /its time was over/)
  assert.equal(outcome('export {}').failures.length, 1)
})
