import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { AppError } from '@halles/kit/errors'
import { cacheFolder } from '../../stack/src/brokers/kafka-jars.ts'
import { findProgram } from '../../stack/src/brokers/programs.ts'
import { runTool } from '../../stack/src/brokers/run-tool.ts'

const requirements = join(import.meta.dirname, 'requirements.txt')

// 30 MB, through a slow connection.
const installLimitMs = 5 * 60_000

function folder(): string {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  return join(cacheFolder(), `schemathesis-${hash}`)
}

/** The Python that has it, where it was installed before; undefined otherwise. */
export function installedSchemathesis(): string | undefined {
  const python = join(folder(), 'bin', 'python')
  return existsSync(python) ? python : undefined
}

/**
 * The Python that has Schemathesis, from the user's cache; the first time it is fetched from PyPI,
 * at the versions of requirements.txt. Throws `NO_PYTHON`, or `TOOL_FAILED` when PyPI is not reached.
 */
export async function provideSchemathesis(): Promise<string> {
  const known = installedSchemathesis()
  if (known !== undefined) return known
  const python = findProgram('python3', [])
  if (python === undefined) {
    throw new AppError('unavailable', 'NO_PYTHON', 'Schemathesis needs python3, with its venv.')
  }
  const target = folder()
  mkdirSync(cacheFolder(), { recursive: true })
  // Made aside and renamed, so that an interrupted run leaves nothing that looks complete. Its
  // programs know the first name, so they are run as modules.
  const draft = `${target}.${randomBytes(4).toString('hex')}`
  const purpose = 'Schemathesis could not be installed'
  try {
    await runTool({
      ...{ command: python, args: ['-m', 'venv', draft], purpose },
      limitMs: installLimitMs,
    })
    await runTool({
      command: join(draft, 'bin', 'python'),
      args: ['-m', 'pip', 'install', '--quiet', '--no-deps', '--requirement', requirements],
      purpose,
      limitMs: installLimitMs,
    })
    renameSync(draft, target)
  } catch (error) {
    // Another run may have installed the same in the meantime.
    if (!existsSync(target)) throw error
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return join(target, 'bin', 'python')
}
