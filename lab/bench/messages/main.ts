import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { machine } from '../report.ts'
import { type Kind, type Platform, startPlatform } from './platform.ts'
import { measureFanOut, measurePasswords, measurePrices } from './propagation.ts'
import { aimedMs, aimedShare, type MessagesResult, toMessagesText } from './report.ts'
import { commands, events, measureThroughput } from './throughput.ts'
import { measureKafka, measurePostgres, measureRabbitmq } from './yardsticks.ts'

const help = `Measures how changes travel: passwords from customers to auth, prices from products to
carts and wishlists, on shops of its own that are started for the run.

  npm run bench -- messages [options]

  --on A,B         embedded, brokers (both; RabbitMQ and Kafka are started, installed if missing)
  --changes N      changes for each propagation time (150)
  --messages N     messages in a full outbox for the sustained rates (10000; hundreds)
  --carts N        carts that hold the product, beside 100 (100000)
  --json FILE      write the figures as JSON too
  --help           this text

Exit code 1 when an aim is missed on the brokers.
`

const say = (text: string) => void process.stdout.write(`${text}\n`)
const steadyPerSecond = 50
const fewHolders = 100

function parseArguments(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      on: { type: 'string', default: 'embedded,brokers' },
      changes: { type: 'string', default: '150' },
      messages: { type: 'string', default: '10000' },
      carts: { type: 'string', default: '100000' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const count = (name: 'changes' | 'messages' | 'carts') => {
    if (!/^[1-9]\d{1,6}$/.test(values[name])) throw new Error(`--${name} is a number from 10.`)
    return Number(values[name])
  }
  const on = values.on.split(',')
  const unknown = on.find((kind) => kind !== 'embedded' && kind !== 'brokers')
  if (unknown !== undefined) throw new Error(`--on knows embedded and brokers, not ${unknown}.`)
  return {
    on: on as Kind[],
    changes: count('changes'),
    messages: count('messages'),
    carts: count('carts'),
    json: values.json,
    isHelp: values.help,
  }
}

type Options = ReturnType<typeof parseArguments>

async function measure(platform: Platform, options: Options): Promise<MessagesResult> {
  const { changes, messages: count, carts } = options
  const { kind } = platform
  say(`${kind}: warming up …`)
  await measurePasswords(platform, 30)
  await measurePrices(platform, { changes: 200, perSecond: steadyPerSecond })
  say(`${kind}: propagation, idle …`)
  const idle = [
    await measurePasswords(platform, changes),
    ...(await measurePrices(platform, { changes })),
  ]
  say(`${kind}: propagation, ${steadyPerSecond} prices a second …`)
  const steady = await measurePrices(platform, {
    changes: changes * 4,
    perSecond: steadyPerSecond,
  })
  say(`${kind}: ${count} messages from a full outbox …`)
  const throughput = await measureWays(platform, count)
  say(`${kind}: a price in ${fewHolders} and in ${carts} carts …`)
  const fanOutOf = (holders: number, added: number) =>
    measureFanOut(platform, { holders, added, changes: changes * 2 })
  const fanOut = [
    await fanOutOf(fewHolders, fewHolders),
    await fanOutOf(carts, Math.max(0, carts - fewHolders)),
  ]
  return { kind, idle, steady, perSecond: steadyPerSecond, throughput, fanOut }
}

/** The rates of each way, and right after it the bare client's with messages of the same size. */
async function measureWays(platform: Platform, count: number) {
  const { kind, shop, postgresUrl } = platform
  const isEmbedded = kind === 'embedded'
  const ways = [
    { work: commands(platform), bare: isEmbedded ? measurePostgres : measureRabbitmq },
    { work: events(platform), bare: isEmbedded ? measurePostgres : measureKafka },
  ]
  const results: MessagesResult['throughput'] = []
  for (const { work, bare } of ways) {
    await measureThroughput(platform, work, Math.ceil(count / 500) * 100)
    const measured = await measureThroughput(platform, work, count)
    const { messages } = work.create(count)
    results.push({ measured, yardstick: await bare({ stack: shop.stack, postgresUrl }, messages) })
  }
  return results
}

function missedAims(results: readonly MessagesResult[]): string[] {
  return results
    .filter(({ kind }) => kind === 'brokers')
    .flatMap(({ idle, throughput }) => [
      ...idle
        .filter(({ p99 }) => p99 > aimedMs)
        .map(({ what, p99 }) => `${what}: p99 is ${p99.toFixed(0)} ms, aimed at ${aimedMs}.`),
      ...throughput
        .map(({ measured, yardstick }) => ({
          what: measured.what,
          share: measured.publishedPerSecond / yardstick.perSecond,
        }))
        .filter(({ share }) => share < aimedShare)
        .map(({ what, share }) => `${what}: ${share.toFixed(2)} of the bare client's rate.`),
    ])
}

/** Runs `npm run bench -- messages`; returns the exit code. */
export async function benchMessages(args: readonly string[]): Promise<number> {
  const options = parseArguments(args)
  if (options.isHelp) {
    say(help)
    return 0
  }
  const results: MessagesResult[] = []
  for (const kind of options.on) {
    const platform = await startPlatform(kind)
    const interrupted = async () => {
      await platform.stop()
      process.exit(130)
    }
    process.once('SIGINT', interrupted)
    process.once('SIGTERM', interrupted)
    try {
      results.push(await measure(platform, options))
    } finally {
      process.off('SIGINT', interrupted)
      process.off('SIGTERM', interrupted)
      await platform.stop()
    }
  }
  const { cores, model, node } = machine()
  say(`\n${cores} × ${model}, Node ${node}; clients, services and brokers share the cores.\n`)
  say(toMessagesText(results))
  if (options.json !== undefined) {
    const at = new Date().toISOString()
    writeFileSync(options.json, `${JSON.stringify({ at, results }, null, 2)}\n`)
  }
  const missed = missedAims(results)
  if (missed.length > 0) say(`\nMissed:\n  ${missed.join('\n  ')}`)
  return missed.length > 0 ? 1 : 0
}
