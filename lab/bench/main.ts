import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createShop, type Shop } from '../../tests/e2e/shop.ts'
import { fillCatalogue, productCount } from './catalogue.ts'
import { cpuPerRequest, readCpu } from './cpu.ts'
import { benchEdge } from './edge/main.ts'
import { benchMessages } from './messages/main.ts'
import { machine, type Report, type Result, toResult, toText } from './report.ts'
import { prepareScenarios, type Scenario } from './scenarios.ts'
import { measureYardsticks, type Yardsticks } from './yardsticks.ts'

const help = `Measures a shop of its own, started for the run on a free port and stopped afterwards.

  npm run bench -- [options]
  npm run bench -- messages [options]   how changes travel between services; see its --help
  npm run bench -- edge [options]       what the gateway costs beside other proxies; see its --help

  --seconds N     how long each journey is measured (5)
  --only A,B      journeys: list, list-cached, detail, detail-cached, cart, sign-in, checkout
  --json FILE     write the figures as JSON too
  --help          this text

Everything runs on this machine: the clients take part of what is measured. Rate limits are off and
the gateway's cache is 1 MiB. "Uncached" asks in ${productCount} products' worth of different addresses, one
after another, so that the cache never has the answer; the column "cached" tells its share.
`

const say = (text: string) => void process.stdout.write(`${text}\n`)

// A cold service compiles and fills its pools first. A checkout runs through eight processes, each
// of which is hot only after some hundreds of them.
const warmUpSeconds = 8
// Nothing may hang for ever, whatever a scenario waits for.
const wholeLimitMs = 15 * 60_000

function parseArguments() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (!/^[1-9]\d?$/.test(values.seconds)) throw new Error('--seconds is a number from 1 to 99.')
  const only = values.only.split(',').filter((name) => name !== '')
  return { seconds: Number(values.seconds), only, json: values.json, isHelp: values.help }
}

async function measure(
  { stack }: Shop,
  scenario: Scenario,
  { seconds, yardsticks }: { seconds: number; yardsticks: Yardsticks },
): Promise<Result> {
  await scenario.run(warmUpSeconds)
  const before = await readCpu(stack.processes())
  const measured = await scenario.run(seconds)
  const after = await readCpu(stack.processes())
  const cpu = cpuPerRequest(before, after, measured.requests)
  say(`  ${scenario.title}: ${Math.round(measured.perSecond).toLocaleString('en')} a second`)
  return toResult(scenario, measured, { cpu, yardsticks })
}

function postgresUrl({ stack }: Shop): string {
  const { postgresPassword } = stack.readJson('secrets.json') as { postgresPassword: string }
  const [postgres] = stack.processes('postgres')
  return `postgres://halles:${postgresPassword}@127.0.0.1:${postgres?.ports.postgres}/postgres`
}

async function run(shop: Shop, options: ReturnType<typeof parseArguments>): Promise<Report> {
  const { seconds, only } = options
  await shop.stack.start()
  say(`The shop is open. Importing ${productCount} products …`)
  const scenarios = await prepareScenarios(shop, await fillCatalogue(shop))
  const unknown = only.filter((name) => scenarios.every((each) => each.name !== name))
  if (unknown.length > 0) throw new Error(`There is no journey ${unknown.join(', ')}.`)
  say('Measuring the yardsticks …')
  const yardsticks = await measureYardsticks({ seconds, postgresUrl: postgresUrl(shop) })
  const results: Result[] = []
  for (const scenario of scenarios) {
    if (only.length > 0 && !only.includes(scenario.name)) continue
    results.push(await measure(shop, scenario, { seconds, yardsticks }))
  }
  const at = new Date().toISOString()
  return { at, machine: machine(), warmUpSeconds, seconds, yardsticks, results }
}

async function main(): Promise<number> {
  const [first, ...rest] = process.argv.slice(2)
  if (first === 'messages') return benchMessages(rest)
  if (first === 'edge') return benchEdge(rest)
  const options = parseArguments()
  if (options.isHelp) {
    say(help)
    return 0
  }
  const shop = createShop({
    HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0',
    HALLES_GATEWAY_CACHE_BYTES: String(1024 * 1024),
    LOG_LEVEL: 'warn',
  })
  const stop = async () => {
    await shop.stack.stop()
    process.exit(130)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  const timer = setTimeout(stop, wholeLimitMs)
  let report: Report
  try {
    report = await run(shop, options)
  } finally {
    clearTimeout(timer)
    await shop.stack.stop()
  }
  say(`\n${toText(report)}`)
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
  }
  return report.results.some(({ failures }) => failures > 0) ? 1 : 0
}

try {
  process.exit(await main())
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exit(1)
}
