import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { createShop } from '../../tests/e2e/shop.ts'
import { createMeter, type Meter } from './measure.ts'
import { findPages, type PageToMeasure, warmUp } from './pages.ts'
import { middleOf, type PageResult, type Round, shortfalls, toText } from './report.ts'

const help = `Measures the shop's pages with Lighthouse, as a phone on a slow network.

  npm run lighthouse -- [options]

  --url URL       a shop that runs already; otherwise one is started with the demonstration's goods
  --rounds N      how often each page is visited (5); the middle round counts
  --only A,B      pages: home, category, product, search, cart
  --help          this text

Fails when home, category or product have less than 95 for performance, 100 for accessibility, 100
for best practices or 95 for SEO, or show their largest thing (LCP) after more than 1.2 s. The
reports of the middle rounds lie in dist/lighthouse.
Chromium is looked for at /usr/bin/chromium, or where HALLES_TEST_CHROMIUM says. Lighthouse itself
(114 packages, 176 MB) is installed into $XDG_CACHE_HOME/halles (~/.cache/halles) the first time.
Performance is a time: measure on a machine that does nothing else. The last column is Lighthouse's
yardstick of the processor: well below its best, a figure tells of other work, not of the shop.
`

const say = (text: string) => void process.stdout.write(`${text}\n`)
const folder = resolve(import.meta.dirname, '../../dist/lighthouse')
// Nothing may hang for ever; a round takes ten seconds.
const wholeLimitMs = 30 * 60_000

function parseArguments() {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      only: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  })
  if (!/^[1-9]\d?$/.test(values.rounds)) throw new Error('--rounds is a number from 1 to 99.')
  if (values.url !== undefined && !URL.canParse(values.url)) throw new Error('--url is no address.')
  return {
    url: values.url?.replace(/\/+$/, ''),
    rounds: Number(values.rounds),
    only: values.only.split(',').filter((name) => name !== ''),
    isHelp: values.help,
  }
}

type Options = ReturnType<typeof parseArguments>

function choose(pages: readonly PageToMeasure[], only: readonly string[]): PageToMeasure[] {
  const unknown = only.filter((name) => pages.every((page) => page.name !== name))
  if (unknown.length > 0) throw new Error(`There is no page ${unknown.join(', ')}.`)
  return pages.filter(({ name }) => only.length === 0 || only.includes(name))
}

async function measureShop(meter: Meter, shop: string, options: Options): Promise<PageResult[]> {
  const results: PageResult[] = []
  mkdirSync(folder, { recursive: true })
  for (const { name, path, isPromised } of choose(await findPages(shop), options.only)) {
    await warmUp(shop + path)
    const rounds: Round[] = []
    while (rounds.length < options.rounds) {
      rounds.push(await meter.measure(shop + path, { timed: true }))
    }
    const round = middleOf(rounds)
    writeFileSync(join(folder, `${name}.html`), round.html)
    writeFileSync(join(folder, `${name}.json`), round.json)
    const all = rounds.map(({ scores }) => scores.performance).join(', ')
    say(`  ${name} (${path}): performance ${all}`)
    results.push({ name, isPromised, round })
  }
  return results
}

async function measureOwnShop(meter: Meter, options: Options): Promise<PageResult[]> {
  const { stack } = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0', LOG_LEVEL: 'warn' })
  const stop = async () => {
    await stack.stop()
    process.exit(130)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  const timer = setTimeout(stop, wholeLimitMs)
  try {
    await stack.start()
    say('The shop is open.')
    return await measureShop(meter, stack.url.replace('127.0.0.1', 'localhost'), options)
  } finally {
    clearTimeout(timer)
    await stack.stop()
  }
}

async function main(): Promise<number> {
  const options = parseArguments()
  if (options.isHelp) {
    say(help)
    return 0
  }
  const meter = await createMeter()
  const results = await (options.url === undefined
    ? measureOwnShop(meter, options)
    : measureShop(meter, options.url, options))
  say(`\n${toText(results)}\n\nThe reports lie in dist/lighthouse.`)
  const isKept = results.every(
    ({ isPromised, round }) => !isPromised || shortfalls(round).length === 0,
  )
  return isKept ? 0 : 1
}

try {
  process.exit(await main())
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exit(1)
}
