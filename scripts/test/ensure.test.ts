import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const folder = mkdtempSync(join(tmpdir(), 'halles-ensure-'))
after(() => rmSync(folder, { recursive: true }))
mkdirSync(join(folder, 'scripts'))
copyFileSync(join(import.meta.dirname, '../ensure.mjs'), join(folder, 'scripts/ensure.mjs'))
const lock = join(folder, 'package-lock.json')
const npm = join(folder, 'npm.mjs')
writeFileSync(lock, '{"lockfileVersion":3}')

/** An npm that fails, or creates what a real one creates. */
function giveNpm(exitCode: number): void {
  const script = `
    import { mkdirSync } from 'node:fs'
    mkdirSync('node_modules/.bin', { recursive: true })
    console.log('npm', process.argv.slice(2).join(' '))
    process.exit(${exitCode})`
  writeFileSync(npm, script)
}

function ensure(): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(folder, 'scripts/ensure.mjs')],
    {
      env: { ...process.env, npm_execpath: npm },
      encoding: 'utf8',
    },
  )
  return { status, output: stdout + stderr }
}

test('what is missing is installed once, without running install scripts', () => {
  giveNpm(0)
  const first = ensure()
  assert.equal(first.status, 0)
  assert.match(first.output, /nothing is installed yet/)
  assert.match(first.output, /npm ci --ignore-scripts/)
  assert.deepEqual(ensure(), { status: 0, output: '' })
})

test('a changed lock file is noticed', () => {
  writeFileSync(lock, '{"lockfileVersion":3,"changed":true}')
  assert.match(ensure().output, /package-lock.json changed/)
  assert.equal(ensure().output, '')
})

test('an install that failed or was interrupted is done again', () => {
  writeFileSync(lock, '{"lockfileVersion":3,"changed":"again"}')
  giveNpm(7)
  const failed = ensure()
  assert.equal(failed.status, 1)
  assert.match(failed.output, /"npm ci" failed \(exit code 7\)/)
  assert.equal(existsSync(join(folder, 'node_modules/.halles-lock')), false)
  giveNpm(0)
  assert.match(ensure().output, /the last install did not finish/)
  assert.equal(ensure().output, '')
})
