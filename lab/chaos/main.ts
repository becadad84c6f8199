import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { eventually } from '@halles/kit/testing'
import { createShop, type ProductForSale, type Shop } from '../../tests/e2e/shop.ts'
import { audit, type Books, openOrders } from './books.ts'
import { buy, type Purchase } from './buyers.ts'
import { createProvider, type ProviderUnderTest } from './provider.ts'
import { createRandom, pick, type Random } from './random.ts'

const help = `Sells in a shop of its own whose parts are killed, and holds the books to the penny.

  npm run chaos -- [options]

  --checkouts N   (2000)
  --seed N        repeats the choices of buyers and killer (random)
  --help          this text

Payments, orders, products and PostgreSQL get kill -9 at random, every two to six seconds; the card
sandbox loses, delays and repeats webhooks, and fails after it has done what it was asked. Exits 1
when money, orders or stock do not agree afterwards.
`

const say = (text: string) => void process.stdout.write(`${text}\n`)
const victims = ['payments', 'orders', 'products', 'postgres'] as const
const buyersAtOnce = 12
const initialStock = 1_000
// A webhook that failed is delivered again within a minute; a checkout cut off is undone after one,
// and what no webhook told is found by the reconciliation.
const settleLimitMs = 180_000
const wholeLimitMs = 40 * 60_000

function parseArguments() {
  const { values } = parseArgs({
    options: {
      checkouts: { type: 'string', default: '2000' },
      seed: { type: 'string', default: String(randomInt(2 ** 31)) },
      help: { type: 'boolean', default: false },
    },
  })
  for (const name of ['checkouts', 'seed'] as const) {
    if (!/^\d{1,10}$/.test(values[name])) throw new Error(`--${name} is a number.`)
  }
  return { checkouts: Number(values.checkouts), seed: Number(values.seed), isHelp: values.help }
}

/** Kills one part after the other until it is told to stop; returns how often it killed each. */
async function killAround({ stack }: Shop, random: Random, signal: AbortSignal) {
  const kills: Record<string, number> = {}
  while (!signal.aborted) {
    await pause(2_000 + random() * 4_000)
    if (signal.aborted) break
    const part = pick(random, victims)
    // It may not have come back from its last death.
    if (stack.processes(part).some(({ pid }) => pid === undefined)) continue
    stack.kill(part)
    kills[part] = (kills[part] ?? 0) + 1
    await stack.untilReady(part)
  }
  return kills
}

async function sellAll(
  shop: Shop,
  goods: readonly ProductForSale[],
  { checkouts, seed }: { checkouts: number; seed: number },
): Promise<Purchase[]> {
  const purchases: Purchase[] = []
  let begun = 0
  const startedAt = performance.now()
  const work = async () => {
    while (begun < checkouts) {
      begun += 1
      purchases.push(await buy(shop, goods, createRandom(seed + begun)))
      if (purchases.length % 100 === 0) {
        const seconds = (performance.now() - startedAt) / 1_000
        const rate = purchases.length / seconds
        const left = Math.round((checkouts - purchases.length) / rate)
        say(`  ${purchases.length} of ${checkouts}, ${rate.toFixed(1)} a second, ${left} s left`)
      }
    }
  }
  await Promise.all(Array.from({ length: buyersAtOnce }, work))
  return purchases
}

async function settle(
  shop: Shop,
  provider: ProviderUnderTest,
  look: () => Promise<Books>,
): Promise<Books> {
  await provider.behave()
  await eventually(() => provider.isQuiet(), { limitMs: settleLimitMs, intervalMs: 500 })
  const token = await shop.admin()
  const from = new Date(Date.now() - 3_600_000).toISOString()
  let books: Books | undefined
  await eventually(
    async () => {
      // What no webhook told at all is for the reconciliation to find.
      await shop.api.ask('reconcilePayments', { token, body: { from } })
      books = await look()
      return books.complaints.length === 0
    },
    { limitMs: settleLimitMs, intervalMs: 3_000 },
  ).catch(() => undefined)
  if (!books) throw new Error('The books could not be looked at.')
  return books
}

async function main(): Promise<number> {
  const { checkouts, seed, isHelp } = parseArguments()
  if (isHelp) {
    say(help)
    return 0
  }
  say(`${checkouts} checkouts, --seed ${seed}`)
  const shop = createShop({
    HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0',
    DEMO_CATALOGUE: 'false',
    LOG_LEVEL: 'error',
  })
  const timer = setTimeout(() => void shop.stack.stop().then(() => process.exit(1)), wholeLimitMs)
  process.once('SIGINT', () => void shop.stack.stop().then(() => process.exit(130)))
  try {
    await shop.stack.start()
    const goods = await Promise.all(
      Array.from({ length: 8 }, () => shop.sell({ amountMinor: 1_250, quantity: initialStock })),
    )
    const provider = createProvider(shop.stack)
    const database = openOrders(shop)
    await provider.breakThings(seed)
    const enough = new AbortController()
    const killing = killAround(shop, createRandom(seed), enough.signal)
    const purchases = await sellAll(shop, goods, { checkouts, seed })
    enough.abort()
    const kills = await killing
    const facts = { database, provider, goods, purchases, initialStock }
    const books = await settle(shop, provider, () => audit(shop, facts))
    await database.close()
    const ends = Object.groupBy(purchases, ({ end }) => end)
    const count = ([name, some]: [string, unknown[]]) => `${some.length} ${name}`
    say(`${purchases.length} checkouts: ${Object.entries(ends).map(count).join(', ')}`)
    say(
      `Killed: ${Object.entries(kills)
        .map(([part, times]) => `${part} ${times} times`)
        .join(', ')}`,
    )
    say(`${books.orders} orders, ${books.sold} pieces sold, ${books.moneyIn / 100} EUR kept.`)
    for (const complaint of books.complaints) say(`  ${complaint}`)
    say(books.complaints.length === 0 ? 'Money, orders and stock agree.' : 'They do not agree.')
    return books.complaints.length === 0 ? 0 : 1
  } finally {
    clearTimeout(timer)
    await shop.stack.stop()
  }
}

try {
  process.exit(await main())
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.exit(1)
}
