import { setTimeout as pause } from 'node:timers/promises'
import type { Shop } from '../e2e/shop.ts'
import { type Bought, buy } from './buyers.ts'
import { type Held, holdMoney, untilSettled } from './held.ts'
import { openSandbox } from './ledger.ts'
import { createDice } from './schedule.ts'

export type Drill = {
  bought: Record<string, number>
  kills: Record<string, number>
  faults: string[]
  held: Held
}

const killed = ['payments', 'orders', 'products', 'postgres'] as const
// As many at once as two cores can take without every deadline being missed.
const buyers = 8
// Between two kills.
const killEveryMs = { least: 1_000, spread: 3_000 }
// The supervisor restarts at once what ran for half a minute, and waits longer after each crash that
// came sooner: killed without a rest, a part would be down most of the time and nothing be sold.
const restMs = 31_000
const variants = 5

/**
 * Shoppers buy while payments, orders, products and PostgreSQL are killed and the provider answers
 * wrongly or not at all; afterwards, when all is settled, everybody's books must agree.
 */
export async function drill(
  shop: Shop,
  options: { checkouts: number; seed: number; onBought?: (count: number) => void },
): Promise<Drill> {
  const { checkouts, seed, onBought } = options
  const dice = createDice(seed)
  const quantity = checkouts
  const goods = await Promise.all(
    Array.from({ length: variants }, async (_, index) => {
      // The last two are too few for everybody.
      const initial = index < variants - 2 ? quantity * 2 : Math.ceil(quantity / 8)
      const { variantId } = await shop.sell({ amountMinor: 900 + index * 137, quantity: initial })
      return { variantId, initial }
    }),
  )
  await disturb(shop, seed)
  const killer = startKiller(shop, createDice(seed + 1))
  const bought: Record<string, number> = {}
  const failed: string[] = []
  let begun = 0
  const buyOne = async () => {
    while (begun < checkouts) {
      begun += 1
      const { variantId } = goods[dice(goods.length)] ?? { variantId: '' }
      const wish = { variantId, quantity: 1 + dice(2), dice: createDice(dice(1_000_000)) }
      const end: Bought | 'failed' = await buy(shop, wish).catch((error: unknown) => {
        failed.push(error instanceof Error ? error.message : String(error))
        return 'failed' as const
      })
      bought[end] = (bought[end] ?? 0) + 1
      onBought?.(Object.values(bought).reduce((sum, each) => sum + each, 0))
    }
  }
  await Promise.all(Array.from({ length: buyers }, buyOne))
  const kills = await killer.stop()
  await untilSettled(shop)
  const { faults, held } = await holdMoney(shop, goods)
  return { bought, kills, faults: [...failed, ...faults], held }
}

/** A provider on a bad day. */
async function disturb(shop: Shop, seed: number): Promise<void> {
  const { fault } = openSandbox(shop.stack)
  const webhook = { target: 'webhook', match: '*', seed: `${seed}` }
  await fault({ ...webhook, kind: 'reorder', delay_ms: '1500', probability: '0.2' })
  await fault({ ...webhook, kind: 'duplicate', probability: '0.1' })
  await fault({ ...webhook, kind: 'drop', probability: '0.05' })
  await fault({ ...webhook, kind: 'lose_answer', probability: '0.05' })
  await fault({ ...webhook, kind: 'lose', probability: '0.02' })
  const api = { target: 'api', seed: `${seed}` }
  await fault({ ...api, match: 'refunds.create', kind: 'error_after', probability: '0.1' })
  await fault({ ...api, match: 'checkout.*', kind: 'reset_after', probability: '0.02' })
  await fault({ ...api, match: 'checkout.*', kind: 'sticky_error_after', probability: '0.02' })
  await fault({ ...api, match: 'checkout.*', kind: 'rate_limit', probability: '0.02' })
}

function startKiller({ stack }: Shop, dice: (count: number) => number) {
  const kills: Record<string, number> = {}
  const killedAt = new Map<string, number>()
  const over = new AbortController()
  const work = async () => {
    while (!over.signal.aborted) {
      const ms = killEveryMs.least + dice(killEveryMs.spread)
      await pause(ms, undefined, { signal: over.signal }).catch(() => undefined)
      const rested = killed.filter(
        (part) =>
          performance.now() - (killedAt.get(part) ?? -restMs) >= restMs &&
          stack.processes(part).every(({ state }) => state === 'ready'),
      )
      const part = rested[dice(Math.max(1, rested.length))]
      if (over.signal.aborted || !part) continue
      stack.kill(part)
      killedAt.set(part, performance.now())
      kills[part] = (kills[part] ?? 0) + 1
    }
  }
  const running = work()
  return {
    async stop() {
      over.abort()
      await running
      for (const part of killed) await stack.untilReady(part)
      return kills
    },
  }
}
