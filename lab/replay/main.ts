import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { createShop } from '../../tests/e2e/shop.ts'
import { readInvoices } from './invoices.ts'
import { type Plan, planReplay } from './plan.ts'
import { createProgress } from './progress.ts'
import { replay } from './replay.ts'
import { type Report, toText } from './report.ts'
import { type Target, targetOf } from './target.ts'

const help = `Plays a retailer's invoices in a shop, through its public API, and compares the books.

  npm run replay -- FILE [options]

FILE is an Online Retail invoice CSV, plain or compressed (.gz). Its goods are imported, each with as
many pieces as the most wanted one sells. Then, in the order of the file, each invoice becomes a cart,
a checkout and a payment by card. A price that differs from the current one is changed by the
administrator before the checkout, while the cart is being filled. Each cancellation becomes a
refund of the customer's newest earlier purchases of the same goods, at the same price first.
A good that has two prices in one invoice, more than 999 pieces of one and more than 100 lines go on
in another order of the same invoice. What cannot be played is counted with its reason.

  --speed N       times real time, or max (max)
  --limit N       the first N invoices only
  --in-flight N   steps under way at the same time (32)
  --on URL        a shop that runs, instead of one of its own
  --data DIR      with --on: its data folder, for the administrator's sign-in and the card sandbox
                  (or HALLES_DATA; .halles)
  --json FILE     write the report as JSON too
  --help          this text

Exits 0 when the books balance to the penny, 1 when they do not, 2 when called wrongly.
`

const say = (text: string) => void process.stdout.write(`${text}\n`)
// Nothing may hang for ever at full speed, whatever a step waits for.
const wholeLimitMs = 45 * 60_000

/** Something is wrong with how we were called; exits 2. */
function refuse(message: string): never {
  process.stderr.write(`${message}\nTry: npm run replay -- --help\n`)
  process.exit(2)
}

function parseArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        speed: { type: 'string', default: 'max' },
        limit: { type: 'string' },
        'in-flight': { type: 'string', default: '32' },
        on: { type: 'string' },
        data: { type: 'string' },
        json: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function readOptions() {
  const { values, positionals } = parseArguments()
  const [file, ...more] = positionals
  if (values.help) {
    say(help)
    process.exit(0)
  }
  if (file === undefined || more.length > 0) return refuse('Name one file.')
  const { speed, limit, on, json } = values
  if (speed !== 'max' && !(Number(speed) > 0)) refuse('--speed is a positive number, or max.')
  if (limit !== undefined && !/^[1-9]\d{0,6}$/.test(limit)) refuse('--limit is a whole number.')
  if (!/^[1-9]\d{0,2}$/.test(values['in-flight'])) refuse('--in-flight is from 1 to 999.')
  if (on !== undefined && !/^https?:$/.test(URL.parse(on)?.protocol ?? ''))
    refuse(`--on: "${on}" is not an http(s) address.`)
  return {
    file,
    speed: speed === 'max' ? Number.POSITIVE_INFINITY : Number(speed),
    limit: limit === undefined ? undefined : Number(limit),
    inFlight: Number(values['in-flight']),
    on,
    json,
    dataFolder: values.data ?? process.env.HALLES_DATA ?? '.halles',
  }
}

type Options = ReturnType<typeof readOptions>

function readPlan({ file, limit }: Options): Plan {
  try {
    const bytes = readFileSync(file)
    const isCompressed = bytes.subarray(0, 2).equals(Buffer.from([0x1f, 0x8b]))
    return planReplay(readInvoices((isCompressed ? gunzipSync(bytes) : bytes).toString(), limit))
  } catch (error) {
    return refuse(`${file}: ${error instanceof Error ? error.message : error}`)
  }
}

function run(plan: Plan, target: Target, { inFlight, speed }: Options): Promise<Report> {
  return replay(plan, target, { inFlight, speed, say, createProgress })
}

async function runOnOwnShop(plan: Plan, options: Options): Promise<Report> {
  const { stack } = createShop({
    HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0',
    DEMO_CATALOGUE: 'false',
    LOG_LEVEL: 'warn',
  })
  const stop = async () => {
    await stack.stop()
    process.exit(130)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  const timer = options.speed === Number.POSITIVE_INFINITY && setTimeout(stop, wholeLimitMs)
  try {
    say('Opening a shop …')
    await stack.start()
    const { dataFolder, url } = stack
    return await run(plan, targetOf({ dataFolder, url, isOwn: true }), options)
  } finally {
    if (timer) clearTimeout(timer)
    await stack.stop()
  }
}

async function main(): Promise<number> {
  const options = readOptions()
  const plan = readPlan(options)
  const { on, dataFolder } = options
  const report =
    on === undefined
      ? await runOnOwnShop(plan, options)
      : await run(plan, targetOf({ dataFolder, url: on, isOwn: false }), options)
  say(`\n${toText(report)}`)
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`)
  return report.isBalanced ? 0 : 1
}

try {
  process.exit(await main())
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exit(1)
}
