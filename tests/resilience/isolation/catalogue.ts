import assert from 'node:assert/strict'
import { eventually } from '@halles/kit/testing'
import type { Answer } from '../../e2e/api.ts'
import type { Shop } from '../../e2e/shop.ts'
import { ask, createPeople, type People } from './pages.ts'
import { nothing, recovery, type Teller } from './stories.ts'

// Enough connections of their own to come through every gateway.
const connections = 24
// News of a change take less to reach a gateway: what it has held for longer was not purged by them.
const heldSeconds = 2

/** Waits until every gateway has the answer in its cache, and has heard of all that changed before. */
async function untilHeld(look: () => Promise<Answer>): Promise<void> {
  await eventually(async () => {
    for (let count = 0; count < connections; count += 1) {
      const { status, headers: said } = await look()
      assert.equal(status, 200)
      assert.match(said.get('cache-status') ?? '', /; hit/)
      assert.ok(Number(said.get('age')) >= heldSeconds)
    }
  }, recovery)
}

/** A product that nobody buys: its page and a list with nothing else, which the gateways hold. */
export type ShopWindow = {
  look(people: People): Promise<void>
  /**
   * Waits until every gateway holds both again: what a change has purged is not to be had while
   * products is away.
   */
  dress(): Promise<void>
}

export async function openShopWindow({ stack, sell }: Shop): Promise<ShopWindow> {
  const { product } = await sell()
  const everybody = createPeople(stack)
  const page = { params: { idOrSlug: product.slug } }
  const list = { query: { q: product.title } }
  return {
    async look(people) {
      await ask(people, 'getProduct', page)
      await ask(people, 'listProducts', list)
    },
    async dress() {
      await untilHeld(() => everybody.send('getProduct', page))
      await untilHeld(() => everybody.send('listProducts', list))
    },
  }
}

/** Pages of products that every gateway has seen, so long ago that they are not fresh any more. */
export type SeenPages = {
  see(): Promise<void>
  /** They are served and marked stale while nobody can be asked for them. */
  staleCatalogue: Teller
}

/** @param count in how many trials one of them is to be stale; after that it is fresh again. */
export function createSeenPages({ stack, sell }: Shop, count: number): SeenPages {
  const slugs: string[] = []
  const people = createPeople(stack)
  const look = (idOrSlug: string) => people.send('getProduct', { params: { idOrSlug } })
  return {
    async see() {
      const seen = await Promise.all(Array.from({ length: count }, () => sell()))
      slugs.push(...seen.map(({ product }) => product.slug))
      await Promise.all(slugs.map((slug) => untilHeld(() => look(slug))))
    },
    async staleCatalogue(shop, fault) {
      if (!fault.isAway) return nothing(shop, fault)
      const slug = slugs.pop()
      assert.ok(slug, 'Every page that was seen is fresh again.')

      const isStale = async () => {
        const { status, headers: said } = await look(slug)
        assert.equal(status, 200)
        assert.match(said.get('cache-status') ?? '', /detail=stale/)
      }
      return {
        async meanwhile() {
          // Fresh for half a minute after it was seen.
          await eventually(isStale, recovery)
          for (let asked = 0; asked < 20; asked += 1) await isStale()
        },
        afterwards: () =>
          eventually(async () => {
            const { headers: said } = await look(slug)
            assert.match(said.get('cache-status') ?? '', /hit; ttl=[1-9]/)
          }, recovery),
      }
    },
  }
}
