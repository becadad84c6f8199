import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { cacheFolder } from '../../stack/src/brokers/kafka-jars.ts'
import { findProgram } from '../../stack/src/brokers/programs.ts'
import { runTool } from '../../stack/src/brokers/run-tool.ts'

const modules = {
  gitleaks: 'github.com/zricethezav/gitleaks/v8@v8.30.1',
  h2spec: 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1',
} as const

// Two busy cores take some minutes to compile one.
const installLimitMs = 15 * 60_000

/** A tool written in Go, from the user's cache; compiled the first time. Throws `NO_GO`, `TOOL_FAILED`. */
export async function provideGoTool(name: keyof typeof modules): Promise<string> {
  const module = modules[name]
  const folder = join(cacheFolder(), 'go', `${name}-${module.split('@')[1]}`)
  const program = join(folder, name)
  if (existsSync(program)) return program
  const go = findProgram('go', ['/usr/local/go/bin'])
  if (go === undefined) {
    throw new AppError('unavailable', 'NO_GO', `${name} is compiled, and there is no Go here.`)
  }
  const draft = `${folder}.${randomBytes(4).toString('hex')}`
  try {
    await runTool({
      ...{ command: go, args: ['install', module], limitMs: installLimitMs },
      purpose: `${name} could not be installed`,
      env: { GOBIN: draft, GOFLAGS: '' },
    })
    if (!existsSync(folder)) renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return program
}
