import { glob } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type EventData, run } from 'node:test'

export type Failure = { file: string; title: string; text: string }
export type Skip = { file: string; title: string; reason: string }
export type FileResult = {
  file: string
  passed: number
  failures: Failure[]
  skips: Skip[]
  /** What tests say besides: figures, seeds. */
  facts: string[]
  seconds: number
}

const everywhere = [
  '{apps/*,contracts,services/*,packages/*,stack,stack/*,lab,scripts}/test/**/*.test.ts',
  'tests/**/*.test.ts',
]

/** Test files below the root, by path; `paths` (files or folders) and `pattern` narrow them. */
export async function findTestFiles(
  root: string,
  { paths, pattern }: { paths: readonly string[]; pattern?: string | undefined },
): Promise<string[]> {
  const found = new Set<string>()
  for await (const path of glob(everywhere, { cwd: root, exclude: ['**/node_modules/**'] })) {
    found.add(path)
  }
  const wanted = paths.map((path) => resolve(path))
  return [...found].sort().filter((path) => {
    const full = resolve(root, path)
    const isWanted =
      wanted.length === 0 || wanted.some((each) => full === each || full.startsWith(`${each}/`))
    return isWanted && (pattern === undefined || new RegExp(pattern).test(path))
  })
}

// Kept of what a file prints, to explain a crash.
const maxOutput = 8_000

// What the runner itself says at the end of each file.
const isCount = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/

// A test that hangs is named, and the rest of its file still runs. The slowest waits for the cache
// to go stale and for a lease to end, about a minute.
const testLimitMs = 180_000

/** Runs one file in a process of its own. A crash, a time-out and a file without tests are failures. */
export async function runTestFile(
  root: string,
  file: string,
  signal: AbortSignal,
): Promise<FileResult> {
  const path = resolve(root, file)
  const startedAtMs = performance.now()
  const result: FileResult = { file, passed: 0, failures: [], skips: [], facts: [], seconds: 0 }
  let output = ''
  const isFileItself = ({ name }: { name: string }) => name === path || name === file
  const fail = (title: string, text: string) => result.failures.push({ file, title, text })

  const execArgv = [`--test-timeout=${testLimitMs}`]
  for await (const event of run({ files: [path], cwd: root, concurrency: 1, signal, execArgv })) {
    if (event.type === 'test:stderr' || event.type === 'test:stdout') {
      output = (output + event.data.message).slice(-maxOutput)
    } else if (event.type === 'test:diagnostic') {
      if (!isCount.test(event.data.message)) result.facts.push(event.data.message)
    } else if (event.type === 'test:pass') {
      if (event.data.details.type === 'suite') continue
      if (isFileItself(event.data)) fail('the file holds tests', 'No test was found in it.')
      else if (event.data.skip !== undefined && event.data.skip !== false)
        result.skips.push(toSkip(file, event.data))
      else result.passed += 1
    } else if (event.type === 'test:fail') {
      if (event.data.todo !== undefined && event.data.todo !== false) {
        result.skips.push({ file, title: event.data.name, reason: `to do: ${event.data.todo}` })
      } else if (isFileItself(event.data)) {
        const why = signal.aborted
          ? 'It was stopped because its time was over.'
          : 'The process ended with an error.'
        // Node reports the file as failed too when a test in it failed.
        if (result.failures.length === 0) fail('the file runs to its end', `${why}\n${output}`)
      } else if (!isParentOfFailure(event.data)) {
        fail(event.data.name, describe(event.data))
      }
    }
  }
  if (result.passed + result.failures.length + result.skips.length === 0) {
    fail('the file holds tests', `Nothing was reported.\n${output}`)
  }
  result.seconds = (performance.now() - startedAtMs) / 1_000
  return result
}

function toSkip(file: string, test: EventData.TestPass): Skip {
  const reason = typeof test.skip === 'string' && test.skip !== '' ? test.skip : 'no reason given'
  return { file, title: test.name, reason }
}

function isParentOfFailure({ details }: EventData.TestFail): boolean {
  return failureType(details.error) === 'subtestsFailed'
}

function failureType(error: Error): unknown {
  return 'failureType' in error ? error.failureType : undefined
}

function describe({ details, line }: EventData.TestFail): string {
  const cause = details.error.cause
  const text = cause instanceof Error ? (cause.stack ?? cause.message) : details.error.message
  return `line ${line}: ${text}`
}
