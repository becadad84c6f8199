/**
 * Holds the published documents against the linters of others: OpenAPI and AsyncAPI against Redocly,
 * AsyncAPI against its own parser besides. The linters bring some hundred packages of their own, so
 * they are no dependencies of ours: npm puts them into the user's cache, once.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { cacheFolder } from '../stack/src/brokers/kafka-jars.ts'

const root = resolve(import.meta.dirname, '..')
const linters = { '@redocly/cli': '2.77.0', '@asyncapi/parser': '3.6.3' }
const documents = ['contracts/gen/openapi.json', 'contracts/gen/asyncapi.json']
// Some 70 MB come over the network.
const installLimitMs = 5 * 60_000
// Each takes seconds; what takes minutes hangs.
const lintLimitMs = 60_000

/** The folder with the linters in these versions; installs them where they are missing. */
function provideLinters(): string {
  const versions = Object.entries(linters).map(([name, version]) => `${name}@${version}`)
  const folder = join(cacheFolder(), 'linters', versions.join('+').replaceAll(/[^\w.+-]/g, '-'))
  if (existsSync(folder)) return folder
  console.log(`Installing ${versions.join(' and ')} …`)
  const unfinished = `${folder}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  writeFileSync(join(unfinished, 'package.json'), '{ "private": true }\n')
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...versions]
  execFileSync('npm', args, { cwd: unfinished, stdio: 'inherit', timeout: installLimitMs })
  if (existsSync(folder)) rmSync(unfinished, { recursive: true })
  else renameSync(unfinished, folder)
  return folder
}

function lintWithRedocly(folder: string): boolean {
  const cli = join(folder, 'node_modules/@redocly/cli/bin/cli.js')
  const args = [cli, 'lint', '--config', 'contracts/redocly.yaml', ...documents]
  const quiet = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1' }
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...quiet },
    timeout: lintLimitMs,
  })
  // Its warnings are faults to us: those that are none are turned off by name.
  const isFine = status === 0 && !/\bwarning/i.test(stderr + stdout)
  if (!isFine) console.error(`${stdout}${stderr}`)
  return isFine
}

type Diagnostic = { severity: number; code: string; path: (string | number)[]; message: string }
type AsyncapiModule = {
  Parser: new () => { parse(text: string): Promise<{ diagnostics: Diagnostic[] }> }
}
/** Of Spectral: 0 is an error, 1 a warning; below are hints. */
const warning = 1

async function parseAsyncapi(folder: string): Promise<boolean> {
  const require = createRequire(join(folder, 'package.json'))
  const { Parser } = require('@asyncapi/parser') as AsyncapiModule
  const text = readFileSync(join(root, 'contracts/gen/asyncapi.json'), 'utf8')
  const { diagnostics } = await new Parser().parse(text)
  const faults = diagnostics.filter(({ severity }) => severity <= warning)
  for (const { code, path, message } of faults) {
    console.error(`asyncapi.json ${path.join('/')}: ${message} (${code})`)
  }
  return faults.length === 0
}

const folder = provideLinters()
const outcomes = {
  'Redocly on OpenAPI and AsyncAPI': lintWithRedocly(folder),
  'the parser of AsyncAPI': await parseAsyncapi(folder),
}
for (const [name, isFine] of Object.entries(outcomes)) {
  console.log(`${isFine ? 'ok    ' : 'FAILED'}  ${name}`)
}
process.exitCode = Object.values(outcomes).every(Boolean) ? 0 : 1
