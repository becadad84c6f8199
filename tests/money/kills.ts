import { parseArgs } from 'node:util'
import { createShop } from '../e2e/shop.ts'
import { drill } from './drill.ts'

const help = `Kills services and their database while shoppers buy, and holds that all money is accounted for.

  node tests/money/kills.ts [--checkouts 2000] [--seed N]
`

const say = (line: string) => void process.stdout.write(`${line}\n`)

async function main(checkouts: number, seed: number): Promise<number> {
  const shop = createShop({ HALLES_GATEWAY_RATE_LIMIT_FACTOR: '0' })
  const startedAt = performance.now()
  await shop.stack.start()
  try {
    let last = 0
    const onBought = (count: number) => {
      if (count - last < checkouts / 20) return
      last = count
      say(
        `${count} of ${checkouts} shoppers after ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`,
      )
    }
    const { bought, kills, faults, held } = await drill(shop, { checkouts, seed, onBought })
    for (const fault of faults) say(`✗ ${fault}`)
    say(JSON.stringify({ seed, bought, kills, held }))
    say(`${faults.length} faults in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`)
    return faults.length === 0 ? 0 : 1
  } finally {
    await shop.stack.stop()
  }
}

const { values } = parseArgs({
  options: {
    checkouts: { type: 'string', default: '2000' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 1e6)}` },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) say(help)
else process.exitCode = await main(Number(values.checkouts), Number(values.seed))
