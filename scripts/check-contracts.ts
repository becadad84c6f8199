/**
 * Holds the published documents against the linters of others: OpenAPI and AsyncAPI against Redocly,
 * AsyncAPI against its own parser besides. The linters bring some hundred packages of their own, so
 * they are no dependencies of ours: npm puts them into the user's cache, once.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { npmTool } from '../stack/src/tools/npm-tool.ts'

const root = resolve(import.meta.dirname, '..')
const packages = ['@redocly/cli@2.77.0', '@asyncapi/parser@3.6.3']
const linters = npmTool({
  name: packages.join(' and '),
  folder: join('linters', packages.join('+').replaceAll(/[^\w.+-]/g, '-')),
  from: { packages },
})
const documents = ['contracts/gen/openapi.json', 'contracts/gen/asyncapi.json']
// Each takes seconds; what takes minutes hangs.
const lintLimitMs = 60_000

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

if (linters.installed() === undefined) console.log(`Installing ${linters.name} …`)
const folder = await linters.provide()
const outcomes = {
  'Redocly on OpenAPI and AsyncAPI': lintWithRedocly(folder),
  'the parser of AsyncAPI': await parseAsyncapi(folder),
}
for (const [name, isFine] of Object.entries(outcomes)) {
  console.log(`${isFine ? 'ok    ' : 'FAILED'}  ${name}`)
}
process.exitCode = Object.values(outcomes).every(Boolean) ? 0 : 1
