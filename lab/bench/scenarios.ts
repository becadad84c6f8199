import { randomUUID } from 'node:crypto'
import { type Shop, unique } from '../../tests/e2e/shop.ts'
import { type Catalogue, spelling } from './catalogue.ts'
import { createCheckout } from './checkout.ts'
import { loadHttp, loadWork, type Measured } from './load.ts'

export type Scenario = {
  name: string
  title: string
  /** Requests a second that are aimed at on two cores; `share` is of what hashing alone allows. */
  aim?: { perSecond: number } | { shareOfHash: number }
  run(seconds: number): Promise<Measured & { lastFailure?: string }>
}

const connections = 32
// More at once would wait for each other's hashes and measure the queue.
const signInConnections = 8
const cartCount = 200
const customerCount = 24
const buyers = 16

/** The journeys, from the cheapest to the dearest. */
export async function prepareScenarios(shop: Shop, catalogue: Catalogue): Promise<Scenario[]> {
  const { url } = shop.stack
  const { addresses, variantIds } = catalogue
  const carts = await inTurns(cartCount, async () => (await shop.api.ask('createCart')).id)
  const accounts = await inTurns(customerCount, () => createAccount(shop))
  await shop.signIn(accounts.at(-1)?.email ?? '', accounts.at(-1)?.password ?? '')

  let count = 0
  const products = '/api/v1/products'
  const reads = { url, connections }
  const one = <T>(list: readonly T[]) => list[count++ % list.length] as T
  const listOf = (text: string) => `${products}?category=${encodeURIComponent(text)}&limit=20`
  const json = { 'content-type': 'application/json' }

  return [
    {
      name: 'list',
      title: 'catalogue list of 20, uncached',
      aim: { perSecond: 1_500 },
      run: (seconds) =>
        loadHttp({ ...reads, seconds, next: () => ({ path: listOf(spelling(++count)) }) }),
    },
    {
      name: 'list-cached',
      title: 'catalogue list of 20, cached',
      aim: { perSecond: 8_000 },
      run: (seconds) =>
        loadHttp({ ...reads, seconds, next: () => ({ path: listOf(spelling(0)) }) }),
    },
    {
      name: 'detail',
      title: 'product detail, uncached',
      run: (seconds) =>
        loadHttp({ ...reads, seconds, next: () => ({ path: `${products}/${one(addresses)}` }) }),
    },
    {
      name: 'detail-cached',
      title: 'product detail, cached',
      run: (seconds) => {
        const few = addresses.slice(0, 20)
        const next = () => ({ path: `${products}/${one(few)}` })
        return loadHttp({ ...reads, seconds, next })
      },
    },
    {
      name: 'cart',
      title: 'cart add',
      aim: { perSecond: 800 },
      run: (seconds) =>
        loadHttp({
          ...reads,
          seconds,
          headers: json,
          next: () => {
            const cartId = one(carts)
            // Some ten lines a cart, as in a real one; the quantity differs from the last time.
            const variantId = variantIds[Math.floor(count / cartCount) % 10]
            const body = JSON.stringify({ quantity: 1 + (count % 97) })
            return { method: 'PUT', path: `/api/v1/carts/${cartId}/lines/${variantId}`, body }
          },
        }),
    },
    {
      name: 'sign-in',
      title: 'sign-in',
      aim: { shareOfHash: 0.8 },
      run: (seconds) =>
        loadHttp({
          url,
          connections: signInConnections,
          seconds,
          headers: json,
          next: () => {
            const { email, password } = one(accounts)
            return {
              method: 'POST',
              path: '/api/v1/sessions',
              body: JSON.stringify({ email, password }),
            }
          },
        }),
    },
    {
      name: 'checkout',
      title: 'checkout, from an empty cart to paid',
      aim: { perSecond: 60 },
      run: async (seconds) => {
        const { buy, close } = createCheckout(url)
        try {
          return await loadWork({
            workers: buyers,
            seconds,
            work: () => buy(one(variantIds), randomUUID()),
          })
        } finally {
          await close()
        }
      },
    },
  ]
}

async function createAccount({ api }: Shop): Promise<{ email: string; password: string }> {
  const email = `bench-${unique()}@example.com`
  const password = `market-${unique()}`
  await api.ask('signUp', { body: { email, password, name: 'Odette' } })
  return { email, password }
}

async function inTurns<T>(times: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let done = 0; done < times; done += 1) results.push(await work())
  return results
}
