import type { Plan, Purchase } from './plan.ts'

/** Keeps every price at what a purchase was made at while this purchase checks out. */
export type PriceBoard = {
  /** Resolves once every good of the purchase has its price; throws what the change failed with. */
  hold(purchase: Purchase): Promise<void>
  /** To be called once for every purchase, held or not: later ones may need other prices. */
  release(purchase: Purchase): void
}

/** Consecutive purchases of a good, in the order of the file, that have it at the same price. */
type Era = {
  sku: string
  unitMinor: number
  /** Purchases that have not checked out. */
  left: number
  before: Era | undefined
  over: PromiseWithResolvers<void>
  opened?: Promise<void>
}

/**
 * Purchases that have their goods at the same prices may check out at the same time, whatever their
 * order; a price is changed when all that need the earlier one have checked out. A purchase waits
 * for earlier ones only, so that nobody waits in a circle.
 */
export function createPriceBoard(
  { steps, goods }: Pick<Plan, 'steps' | 'goods'>,
  setPrice: (sku: string, unitMinor: number) => Promise<void>,
): PriceBoard {
  const newest = new Map(goods.map((good): [string, Era] => [good.sku, createEra(good, undefined)]))
  const erasOf = new Map<string, Era[]>()
  for (const { key, lines } of steps.filter((step) => step.kind === 'purchase')) {
    const eras = lines.map((line) => {
      const last = newest.get(line.sku)
      const era = last?.unitMinor === line.unitMinor ? last : createEra(line, last)
      era.left += 1
      newest.set(line.sku, era)
      return era
    })
    erasOf.set(key, eras)
  }

  async function open(era: Era): Promise<void> {
    // The goods were imported at the price of their first era.
    if (!era.before) return
    await era.before.over.promise
    await setPrice(era.sku, era.unitMinor)
  }

  return {
    async hold({ key }) {
      const opening = (erasOf.get(key) ?? []).map((era) => {
        era.opened ??= open(era)
        return era.opened
      })
      // All of them: after a failure a change that is still under way must not meet the next one.
      const results = await Promise.allSettled(opening)
      const failed = results.find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') throw failed.reason
    },
    release({ key }) {
      for (const era of erasOf.get(key) ?? []) {
        era.left -= 1
        if (era.left === 0) era.over.resolve()
      }
      erasOf.delete(key)
    },
  }
}

function createEra(
  { sku, unitMinor }: { sku: string; unitMinor: number },
  before: Era | undefined,
): Era {
  return { sku, unitMinor, left: 0, before, over: Promise.withResolvers<void>() }
}
