import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, globSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { findPrevious, type PreviousRelease, unpackRelease } from './previous-release.ts'

// The slowest of a service's files takes half a minute when nothing else runs.
const limitMs = 150_000
const maxOutput = 20_000

const named = process.env.HALLES_PREVIOUS
const previous = await findPrevious(named).catch((error: Error) => {
  if (named) throw error
  return error
})
const skip = previous instanceof Error && `there is no earlier release: ${previous.message}`

/** Runs files of tests as the release would; returns what was said when one fails. */
async function runTests(folder: string, files: readonly string[]): Promise<string | undefined> {
  const { NODE_TEST_CONTEXT: _ours, ...env } = process.env
  const child = spawn(
    process.execPath,
    ['--test', '--test-concurrency=2', '--test-reporter=dot', ...files],
    { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-maxOutput)
    })
  }
  const [code, signal] = await once(child, 'close')
  return code === 0 ? undefined : `${output}\nended with ${signal ?? code}`
}

describe('the previous release on the schema of this one', { skip }, () => {
  let release: PreviousRelease

  before(async (t) => {
    release = await unpackRelease(String(previous))
    if ('diagnostic' in t) t.diagnostic(`the previous release is ${String(previous).slice(0, 7)}`)
  })
  after(() => release.remove())

  for (const service of readdirSync(join(import.meta.dirname, '../../services'))) {
    const migrations = join(import.meta.dirname, '../../services', service, 'migrations')
    if (!existsSync(migrations)) continue
    test(`${service} goes on`, async (t) => {
      const files = globSync(`services/${service}/test/**/*.{component,integration}.test.ts`, {
        cwd: release.folder,
        // They are about the way to the schema, not about the use of it.
        exclude: ['**/migrations.integration.test.ts'],
      })
      if (files.length === 0) return t.skip('the previous release does not have it')
      assert.equal(await runTests(release.folder, files), undefined)
    })
  }
})
