import { join, resolve } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { runTool } from './brokers/run-tool.ts'
import { goTool } from './tools/go-tool.ts'

const version = '2.6.0'
const folder = resolve(import.meta.dirname, '../../deploy/compose')

/** What people start together. */
const projects = [['brokers.yaml'], ['halles.yaml'], ['halles.yaml', 'observability.yaml']] as const

// It reads some files.
const limitMs = 60_000

/** The loader of Docker Compose. */
export const composeLoader = goTool({
  name: 'the loader of Docker Compose',
  module: `github.com/compose-spec/compose-go/v2/cmd@v${version}`,
  folder: `compose-go-${version}`,
})

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
  const faults = await loaderFaults(await composeLoader.provide())
  for (const fault of faults) process.stderr.write(`${fault}\n`)
  process.exitCode = faults.length === 0 ? 0 : 1
}
