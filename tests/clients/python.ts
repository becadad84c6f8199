import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Whether a program runs to its end without a complaint. */
export async function works(command: string, args: readonly string[]): Promise<boolean> {
  try {
    await run(command, args, { timeout: 10_000 })
    return true
  } catch {
    // Absent or incomplete: either way it is not to be asked.
    return false
  }
}

const modules = ['-c', 'import confluent_kafka, jsonschema']
// Debian's modules are for Debian's Python, which need not be the first in PATH.
const pythons = ['/usr/bin/python3', 'python3']

/** A Python that can read Kafka and validate JSON; undefined where there is none. */
export async function findPython(): Promise<string | undefined> {
  const isUsable = await Promise.all(pythons.map((python) => works(python, modules)))
  return pythons.find((_python, index) => isUsable[index])
}

/** Why a test in Python is skipped, where it is. */
export const noPython = 'Python has no confluent_kafka and jsonschema'
