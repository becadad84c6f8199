import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { AppError } from '@halles/kit/errors'
import { findProgram } from '../../stack/src/brokers/programs.ts'
import { checkApi, describeFaults } from './api.ts'
import { auditPackages } from './audit.ts'
import { checkH2, expected } from './h2.ts'
import { findUnlicensed, readPackages } from './licences.ts'
import { toSeed } from './plan.ts'
import { findLeaks } from './secrets.ts'

const help = `Lets programs of others look for faults.

  npm run check:outside -- [step …] [options]

  licences        every package in the lock file has a licence that docs/policies/licences.md allows
  audit           npm audit of what runs in production
  secrets         gitleaks over everything that was ever committed
  h2              h2spec against HAProxy's HTTPS edge, where HAProxy is installed
  api             Schemathesis over the OpenAPI document, as a guest, a customer, every role of the
                  staff and the administrator, against a shop of its own: some 15,000 calls
  --seed N        what Schemathesis begins with (1)
  --only A,B      runs of these names alone: guest, customer, auditor …; guest-leaves …
  --help          this text

All steps without one. Schemathesis comes from PyPI, gitleaks and h2spec are compiled by Go, once,
into $XDG_CACHE_HOME/halles (~/.cache/halles). It takes ten minutes on two cores.
Exits 0 when nothing was found, 1 when something was, 2 when called wrongly.
`

const root = resolve(import.meta.dirname, '../..')
const say = (text: string) => void process.stdout.write(`${text}\n`)

type Options = { seed: number; only: readonly string[] }

/** Each says what it found; false when something is to be mended. */
const steps: Readonly<Record<string, (options: Options) => boolean | Promise<boolean>>> = {
  licences() {
    const packages = readPackages(root)
    const found = findUnlicensed(packages)
    for (const { name, version, licence } of found) say(`  ${name} ${version}: ${licence}`)
    say(`licences: ${packages.length} packages, ${found.length} not allowed`)
    return found.length === 0
  },
  audit() {
    const audit = auditPackages(root)
    if ('unknown' in audit) {
      say(`audit: not checked, the registry does not say (${audit.unknown})`)
      return true
    }
    for (const each of audit.vulnerable) say(`  ${each}`)
    say(`audit: ${audit.vulnerable.length} vulnerable packages`)
    return audit.vulnerable.length === 0
  },
  async secrets() {
    const leaks = await findLeaks(root)
    for (const { file, line, rule } of leaks) say(`  ${file}:${line} ${rule}`)
    say(`secrets: ${leaks.length} found`)
    return leaks.length === 0
  },
  async h2() {
    if (findProgram('haproxy') === undefined) {
      say('h2: not checked, HAProxy is not installed')
      return true
    }
    const { tests, failed } = await checkH2()
    const faults = failed.filter((title) => !Object.hasOwn(expected, title))
    for (const title of faults) say(`  ${title}`)
    say(
      `h2: ${tests} cases, ${failed.length - faults.length} known failures, ${faults.length} faults`,
    )
    return faults.length === 0
  },
  async api(options) {
    const verdicts = await checkApi({ ...options, size: 'whole', say })
    const faults = verdicts.flatMap((each) => each.faults)
    const calls = verdicts.reduce((sum, each) => sum + each.calls, 0)
    if (faults.length > 0) say(describeFaults(faults))
    say(`api: ${calls} calls, ${faults.length} faults`)
    return faults.length === 0
  },
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: 'string', default: '1' },
        only: { type: 'string', default: '' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new AppError('invalid', 'USAGE', error instanceof Error ? error.message : String(error))
  }
}

async function main(): Promise<number> {
  const { values, positionals } = readArguments()
  if (values.help) {
    say(help)
    return 0
  }
  const unknown = positionals.find((name) => !Object.hasOwn(steps, name))
  if (unknown !== undefined)
    throw new AppError('invalid', 'USAGE', `There is no step "${unknown}".`)
  const options = { seed: toSeed(values.seed), only: values.only.split(',').filter(Boolean) }
  const chosen = positionals.length > 0 ? positionals : Object.keys(steps)
  let isWell = true
  for (const name of chosen) isWell = (await take(name, options)) && isWell
  return isWell ? 0 : 1
}

/** Takes a step; one whose tool needs what is not on this machine says so, and does not fail. */
async function take(name: string, options: Options): Promise<boolean> {
  try {
    return (await steps[name]?.(options)) ?? true
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'TOOL_MISSING') throw error
    say(`${name}: not checked, ${error.message}`)
    return true
  }
}

try {
  process.exitCode = await main()
} catch (error) {
  const isOurs = error instanceof AppError
  process.stderr.write(`${isOurs ? error.message : error instanceof Error ? error.stack : error}\n`)
  process.exitCode = isOurs && error.code === 'USAGE' ? 2 : 1
}
