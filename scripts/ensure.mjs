// Runs before every npm script, also on Node 20 and before anything is installed: plain JavaScript,
// nothing but Node's own modules. Installs what package-lock.json says whenever that changed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const neededMajor = 24
const root = resolve(import.meta.dirname ?? new URL('..', import.meta.url).pathname, '..')
const stampPath = join(root, 'node_modules/.halles-lock')
const ownNode = join(root, 'node_modules/.bin/node')

const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')
// The file is written last: an install that was interrupted leaves none.
const stamp = existsSync(stampPath) ? readFileSync(stampPath, 'utf8').trim() : undefined

if (stamp !== lock) {
  const isNew = !existsSync(join(root, 'node_modules'))
  const why = isNew
    ? 'nothing is installed yet'
    : stamp === undefined
      ? 'the last install did not finish'
      : 'package-lock.json changed'
  console.log(`Halles: ${why}, running "npm ci" …`)
  install()
}
if (majorOf(process.version) < neededMajor || stamp !== lock) checkNode()
if (stamp !== lock) writeFileSync(stampPath, `${lock}\n`)

function install() {
  rmSync(stampPath, { force: true })
  // No package of ours needs an install script. Development tools are needed whatever NODE_ENV says.
  const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--loglevel=error']
  const npm = process.env.npm_execpath
  const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []]
  const { status, signal, error } = spawnSync(command, [...first, ...args], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status === 0) return
  if (signal) process.exit(130)
  fail(
    `"npm ci" failed (${error ? error.message : `exit code ${status}`}). It needs the network the first time, and about 600 MB of disk; what it said is above.`,
  )
}

/** The scripts after this one use node_modules/.bin/node, or the system's where that does not run. */
function checkNode() {
  if (existsSync(ownNode)) {
    const { status, stdout } = spawnSync(ownNode, ['--version'], { encoding: 'utf8' })
    if (status === 0 && majorOf(stdout) >= neededMajor) return
    // Built for another C library (Alpine): out of the way, so that the system's is found.
    if (majorOf(process.version) >= neededMajor) return rmSync(ownNode)
  }
  if (majorOf(process.version) >= neededMajor) return
  fail(
    `Halles needs Node ${neededMajor} or newer, this is ${process.version}, and npm has no build of it for ${process.platform}-${process.arch}. Install one from https://nodejs.org, then start again.`,
  )
}

function majorOf(version) {
  return Number(/^v?(\d+)/.exec(version.trim())?.[1] ?? 0)
}

function fail(message) {
  console.error(`Halles: ${message}`)
  process.exit(1)
}
