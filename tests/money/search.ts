import { type ChildProcess, fork } from 'node:child_process'
import { parseArgs } from 'node:util'
import { startTestPostgres } from '../../stack/src/test-postgres.ts'
import { type Checked, checkHistories, describeFailure } from './check.ts'
import { describeHistory, type History } from './history.ts'
import { playHistory } from './play.ts'
import { openWorld } from './world.ts'

const help = `Plays random histories of a shop and holds that its money is exact.

  node tests/money/search.ts [--runs 10000] [--seed N] [--workers 2]
  node tests/money/search.ts --history JSON    plays that one again, and says all that happened
`

type Message = { runs: number } | { checked: Checked }

const say = (line: string) => void process.stdout.write(`${line}\n`)

/** One process with databases of its own. */
async function work(runs: number, seed: number): Promise<void> {
  const world = await openWorld()
  process.on('disconnect', () => process.exit(1))
  const tell = (message: Message) => void process.send?.(message)
  const checked = await checkHistories(world, {
    runs,
    seed,
    onPlayed: (count) => tell({ runs: count }),
  })
  await world.close()
  process.removeAllListeners('disconnect')
  tell({ checked })
  process.disconnect()
}

async function search(runs: number, seed: number, workers: number): Promise<number> {
  const startedAt = performance.now()
  const done = Array.from({ length: workers }, () => 0)
  const seconds = () => (performance.now() - startedAt) / 1_000
  const progress = () => {
    const count = done.reduce((sum, each) => sum + each, 0)
    const rate = count / seconds()
    const left = rate > 0 ? Math.round((runs - count) / rate) : 0
    return `${count} of ${runs} histories, ${rate.toFixed(1)} a second, ${left} s left`
  }
  const timer = setInterval(() => say(progress()), 10_000)
  const share = Math.ceil(runs / workers)
  const results = await Promise.all(
    done.map((_, index) =>
      startWorker(share, seed + index, (count) => {
        done[index] = count
      }),
    ),
  )
  clearInterval(timer)
  say(progress())
  const failures = results.flatMap(({ failure }) => failure ?? [])
  for (const failure of failures) say(`\n${describeFailure(failure)}`)
  const total = (name: 'orders' | 'paid' | 'capturedMinor' | 'refundedMinor') =>
    results.reduce((sum, { totals }) => sum + totals[name], 0)
  say(
    `${total('orders')} orders, ${total('paid')} of them paid: ${total('capturedMinor')} taken and ` +
      `${total('refundedMinor')} given back (minor units), in ${seconds().toFixed(0)} s with the ` +
      `seeds ${seed} to ${seed + workers - 1}; ${failures.length} failures`,
  )
  return failures.length === 0 ? 0 : 1
}

function startWorker(
  runs: number,
  seed: number,
  onRuns: (count: number) => void,
): Promise<Checked> {
  return new Promise((resolve, reject) => {
    const argv = ['--worker', '--runs', `${runs}`, '--seed', `${seed}`]
    const child: ChildProcess = fork(import.meta.filename, argv)
    let checked: Checked | undefined
    child.on('message', (message: Message) => {
      if ('checked' in message) checked = message.checked
      else onRuns(message.runs)
    })
    child.on('error', reject)
    child.on('exit', (code) => {
      if (checked) resolve(checked)
      else reject(new Error(`A worker ended with ${code}.`))
    })
  })
}

async function playAgain(history: History): Promise<number> {
  const world = await openWorld()
  say(describeHistory(history))
  try {
    say(JSON.stringify(await playHistory(world, history)))
    return 0
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return 1
  } finally {
    await world.close()
  }
}

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 1e6)}` },
    workers: { type: 'string', default: '2' },
    history: { type: 'string' },
    worker: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) say(help)
else if (values.worker) await work(Number(values.runs), Number(values.seed))
else {
  const postgres = await startTestPostgres()
  process.env.HALLES_TEST_POSTGRES = postgres.url
  try {
    process.exitCode = values.history
      ? await playAgain(JSON.parse(values.history) as History)
      : await search(Number(values.runs), Number(values.seed), Number(values.workers))
  } finally {
    await postgres.stop()
  }
}
