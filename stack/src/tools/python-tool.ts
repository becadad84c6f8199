import { join } from 'node:path'
import { runTool } from '../brokers/run-tool.ts'
import { type CachedTool, cachedTool, neededProgram } from './cached-tool.ts'

// Some 30 MB, through a slow connection.
const limitMs = 5 * 60_000

export type PythonToolOptions = {
  name: string
  /** Its folder in the cache, with the version. */
  folder: string
  /** What pip installs: `['kubernetes-validate==1.36.0']`, or `['--requirement', path]`. */
  packages: readonly string[]
}

/**
 * A tool from PyPI, in a virtual environment of its own; each of the two steps to make it takes five
 * minutes at most. Its path is that of a Python, to run it with as a module: the programs beside
 * know the name of the draft.
 */
export function pythonTool({ name, folder, packages }: PythonToolOptions): CachedTool {
  const path = join('bin', 'python')
  return cachedTool({
    ...{ name, folder, path },
    async install(draft, purpose) {
      const command = neededProgram('python3', purpose)
      await runTool({ command, args: ['-m', 'venv', draft], purpose, limitMs })
      const options = ['--quiet', '--disable-pip-version-check', '--no-input', ...packages]
      const args = ['-m', 'pip', 'install', ...options]
      await runTool({ command: join(draft, path), args, purpose, limitMs })
    },
  })
}
