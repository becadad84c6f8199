import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { cacheFolder } from './brokers/kafka-jars.ts'
import { findProgram } from './brokers/programs.ts'
import { runTool } from './brokers/run-tool.ts'

const version = '2.6.0'
const folder = resolve(import.meta.dirname, '../../deploy/compose')

/** What people start together. */
const projects = [['brokers.yaml'], ['halles.yaml'], ['halles.yaml', 'observability.yaml']] as const

// Two cores take a minute to compile it.
const installLimitMs = 10 * 60_000
const limitMs = 60_000

/** The loader of Docker Compose where it is installed already: tests do not compile. */
export function installedLoader(): string | undefined {
  const path = join(cacheFolder(), `compose-go-${version}`, 'cmd')
  return existsSync(path) ? path : undefined
}

/** The path of the loader, compiled at its first use. Throws AppError where Go or its proxy is away. */
export async function findLoader(): Promise<string> {
  const known = installedLoader()
  if (known !== undefined) return known
  const purpose = 'the loader of Docker Compose could not be installed'
  const command = findProgram('go')
  if (command === undefined) {
    throw new AppError('unavailable', 'TOOL_MISSING', `${purpose}: go is not installed`)
  }
  const target = join(cacheFolder(), `compose-go-${version}`)
  await runTool({
    ...{ command, purpose, limitMs: installLimitMs, env: { GOBIN: target, GOFLAGS: '' } },
    args: ['install', `github.com/compose-spec/compose-go/v2/cmd@v${version}`],
  })
  return join(target, 'cmd')
}

/** What Docker Compose would refuse of the files, or of others given. */
export async function loaderFaults(
  loader: string,
  files: readonly (readonly string[])[] = projects.map((names) =>
    names.map((name) => join(folder, name)),
  ),
): Promise<string[]> {
  const faults: string[] = []
  for (const paths of files) {
    try {
      // What a file includes is looked for from here.
      const purpose = `Docker Compose does not accept ${paths.join(' and ')}`
      await runTool({ command: loader, args: [...paths], purpose, limitMs, cwd: folder })
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      faults.push(error.message)
    }
  }
  return faults
}

if (import.meta.main) {
  const faults = await loaderFaults(await findLoader())
  for (const fault of faults) process.stderr.write(`${fault}\n`)
  process.exitCode = faults.length === 0 ? 0 : 1
}
