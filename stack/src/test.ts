import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { needsBrokers, startTestBrokers, waitsForPrograms } from './test-brokers.ts'
import { type FileResult, findTestFiles, runTestFile } from './test-files.ts'

const root = resolve(import.meta.dirname, '../..')

const help = `Runs the tests: npm test -- [FILE or FOLDER ...] [--only PATTERN]

  --only PATTERN   files whose path matches the regular expression

HALLES_TEST_POSTGRES (URL of a superuser) uses that server instead of starting one.
RabbitMQ, Kafka and Redis are started where they are installed and a chosen file needs them, and
HAProxy, Chromium (HALLES_TEST_CHROMIUM) and Prometheus (HALLES_TEST_PROMETHEUS) are found;
HALLES_TEST_BROKERS=install installs them first (as root, Debian packages), none leaves them out;
HALLES_TEST_AMQP_URL, HALLES_TEST_KAFKA_BROKERS and HALLES_TEST_REDIS_URL use those that run.
`

// The machine that this is made for has two cores.
const concurrency = 2
// Files that run the whole shop walk through it several times, those on brokers send ten thousand
// messages while consumers are killed; the others take seconds.
const fileLimitMs = (file: string) => (runsAlone(file) ? 15 : needsBrokers(file) ? 10 : 8) * 60_000
const wholeLimitMs = 75 * 60_000

/** The running shop is measured against deadlines: nothing else may take the cores. */
const runsAlone = (file: string) =>
  /^tests\/(browser|clients|e2e|recovery|resilience|money|telemetry)\//.test(file)
const say = (line: string) => void process.stdout.write(`${line}\n`)

function report({ file, passed, failures, skips, facts, seconds }: FileResult): void {
  const counts = [`${passed} passed`]
  if (failures.length > 0) counts.push(`${failures.length} FAILED`)
  if (skips.length > 0) counts.push(`${skips.length} skipped`)
  say(`${failures.length > 0 ? '✗' : '✓'} ${file}  ${counts.join(', ')}  (${seconds.toFixed(1)} s)`)
  for (const fact of facts) say(`    ${fact}`)
}

type Running = {
  width: number
  whole: AbortSignal
  /** Resolves when the brokers take work; tests find them in the environment. */
  brokers: Promise<unknown>
}

async function runFiles(
  files: readonly string[],
  { width, whole, brokers }: Running,
): Promise<FileResult[]> {
  const results: FileResult[] = []
  const queue = [...files]
  const work = async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      if (waitsForPrograms(file)) await brokers
      const result = whole.aborted
        ? notRun(file)
        : await runTestFile(
            root,
            file,
            AbortSignal.any([whole, AbortSignal.timeout(fileLimitMs(file))]),
          )
      report(result)
      results.push(result)
    }
  }
  await Promise.all(Array.from({ length: width }, work))
  return results
}

function notRun(file: string): FileResult {
  const failure = { file, title: 'the file is run', text: 'The time for all tests was over.' }
  return { file, passed: 0, failures: [failure], skips: [], facts: [], seconds: 0 }
}

function summarize(results: readonly FileResult[]): number {
  const skips = results.flatMap((result) => result.skips)
  const failures = results.flatMap((result) => result.failures)
  const passed = results.reduce((sum, result) => sum + result.passed, 0)
  if (skips.length > 0) say('\nSkipped:')
  for (const { file, title, reason } of skips) say(`  ${file}: ${title} (${reason})`)
  if (failures.length > 0) say('\nFailed:')
  for (const { file, title, text } of failures) {
    say(`\n  ${file}: ${title}\n    ${text.trimEnd().split('\n').join('\n    ')}`)
  }
  say('')
  say(`${passed} passed, ${failures.length} failed, ${skips.length} skipped`)
  return failures.length === 0 ? 0 : 1
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' }, help: { type: 'boolean', default: false } },
  })
  if (values.help) {
    say(help)
    return 0
  }
  const files = await findTestFiles(root, { paths: positionals, pattern: values.only })
  if (files.length === 0) {
    say('No test file matches.\n\n0 passed, 1 failed, 0 skipped')
    return 1
  }
  const whole = new AbortController()
  const timer = setTimeout(() => {
    say(`All tests together took longer than ${wholeLimitMs / 60_000} minutes: stopped.`)
    whole.abort()
  }, wholeLimitMs)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => whole.abort())
  }

  const postgres = await providePostgres()
  const brokers = startTestBrokers(process.env, files)
  // Told by the first file that waits for them, or by the stop at the end.
  brokers.catch(() => undefined)
  try {
    // They start meanwhile.
    const quick = files.filter((file) => !runsAlone(file))
    quick.sort((a, b) => Number(needsBrokers(a)) - Number(needsBrokers(b)))
    const running = { whole: whole.signal, brokers }
    const results = await runFiles(quick, { ...running, width: concurrency })
    results.push(...(await runFiles(files.filter(runsAlone), { ...running, width: 1 })))
    await brokers
    return summarize(results)
  } finally {
    clearTimeout(timer)
    await Promise.allSettled([brokers.then((some) => some.stop()), postgres?.stop()])
  }
}

/** Tests that need a database find it by this variable. */
async function providePostgres(): Promise<{ stop(): Promise<void> } | undefined> {
  if (process.env.HALLES_TEST_POSTGRES !== undefined) return undefined
  const { startTestPostgres } = await import('./test-postgres.ts')
  const postgres = await startTestPostgres()
  process.env.HALLES_TEST_POSTGRES = postgres.url
  return postgres
}

try {
  process.exit(await main())
} catch (error) {
  say(`The tests could not be run. ${error instanceof Error ? error.stack : error}`)
  say('\n0 passed, 1 failed, 0 skipped')
  process.exit(1)
}
