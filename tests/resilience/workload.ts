import { setTimeout as pause } from 'node:timers/promises'
import type { Answer } from '../e2e/api.ts'
import { newEmail, type Shop, unique } from '../e2e/shop.ts'
import { type Account, changePassword, openSession } from './accounts.ts'
import { changePrice, type Listing } from './listings.ts'

/** What people did and were told, to be held against what the services know afterwards. */
export type Memory = {
  /** Their passwords change. */
  accounts: Account[]
  /** Their prices change. */
  listings: Listing[]
  /** Customers who only look: all products stand in one of their carts and wishlists. */
  shoppers: Shopper[]
}

export type Shopper = { id: string; token: string; cartId: string; variantIds: string[] }

/** Of one run: the changes that were accepted, and the requests without an answer. */
export type Counts = {
  passwords: number
  prices: number
  duringFault: number
  /** Answered by 5xx, or the connection was lost: what they asked for may be done or not. */
  unanswered: number
}

/**
 * How one step ended. After `unanswered` the same change is asked for again: it is then accepted,
 * or the refusal proves that the first one was applied. `waiting`: nothing could be asked yet.
 */
export type Step = 'accepted' | 'unanswered' | 'waiting'

// On two cores each change of a password costs 40 ms of hashing, sign-in included: this many at
// once keep the cores busy without a queue that grows.
const peopleAtOnce = 8
const pricesAtOnce = 2
// Leaves the larger part of the cores to the passwords.
const pricePauseMs = 15
// Who got no answer does not ask at once again, as people do not.
const refusalPauseMs = 100
const waitingPauseMs = 20

/** Customers with two sessions each, products on sale, and shoppers who hold every product. */
export async function openForBusiness(shop: Shop, count: number): Promise<Memory> {
  const accounts = await gather(count, 8, () => signUp(shop))
  await each(accounts, 8, async (account) => {
    await openSession(shop.api, account)
    await openSession(shop.api, account)
  })
  const listings = await gather(count, 4, () => sell(shop))
  const groups = Array.from({ length: Math.ceil(count / perShopper) }, (_, index) =>
    listings.slice(index * perShopper, (index + 1) * perShopper),
  )
  const shoppers = await Promise.all(groups.map((group) => sendShopping(shop, group)))
  return { accounts, listings, shoppers }
}

// Well below the limits of a cart and of a wishlist.
const perShopper = 25

async function signUp({ api }: Shop): Promise<Account> {
  const email = newEmail()
  const password = `market-${unique()}`
  const { id } = await api.ask('signUp', { body: { email, password, name: 'Odette' } })
  return { id, email, passwords: [password], sessions: [], failures: 0, notBefore: 0 }
}

async function sell(shop: Shop): Promise<Listing> {
  const { productId, variantId, product } = await shop.sell({ amountMinor: 1_000 })
  return { productId, variantId, version: product.version, amounts: [1_000] }
}

async function sendShopping(shop: Shop, listings: readonly Listing[]): Promise<Shopper> {
  const { api } = shop
  const { id, token } = await shop.signUp()
  const { id: cartId } = await api.ask('createCart', { token })
  const variantIds = listings.map(({ variantId }) => variantId)
  for (const variantId of variantIds) {
    await untilTaken(() =>
      api.send('putCartLine', { params: { cartId, variantId }, body: { quantity: 1 }, token }),
    )
    await untilTaken(() => api.send('putWishlistItem', { params: { variantId }, token }))
  }
  return { id, token, cartId, variantIds }
}

/** A product may still be on its way to the carts and wishlists. */
async function untilTaken(send: () => Promise<Answer>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const { status, body } = await send()
    if (status < 300) return
    if (tries === 100) throw new Error(`Answered ${status}: ${JSON.stringify(body)}`)
    await pause(refusalPauseMs)
  }
}

/**
 * Changes passwords and prices while the fault strikes, and goes on until the fault is over and
 * every customer and product has changed `changesEach` times since the beginning. Throws when that
 * takes longer than `limitMs`.
 */
export async function changeEverything(
  shop: Shop,
  memory: Memory,
  options: { changesEach: number; limitMs: number; strike(): Promise<void> },
): Promise<Counts> {
  const { changesEach, limitMs } = options
  const { accounts, listings } = memory
  const token = await shop.admin()
  const endsAt = performance.now() + limitMs
  const counts: Counts = { passwords: 0, prices: 0, duringFault: 0, unanswered: 0 }
  const done = new Map<object, number>()
  const underWay = Promise.withResolvers<void>()
  let isStriking = false
  let isOver = false

  const mayRest = (item: Account | Listing) =>
    isOver && item.unanswered === undefined && (done.get(item) ?? 0) >= changesEach

  const count = async (kind: 'passwords' | 'prices', item: object, step: Step) => {
    if (step === 'accepted') {
      done.set(item, (done.get(item) ?? 0) + 1)
      counts[kind] += 1
      if (isStriking) counts.duringFault += 1
      // In the middle of the work: half have changed once, and more is on its way.
      if (counts.passwords >= accounts.length / 2) underWay.resolve()
    }
    if (step === 'unanswered') counts.unanswered += 1
    if (step !== 'accepted') await pause(step === 'waiting' ? waitingPauseMs : refusalPauseMs)
  }

  const strike = async () => {
    await Promise.race([underWay.promise, pause(limitMs, undefined, { ref: false })])
    isStriking = true
    await options.strike()
    isStriking = false
    isOver = true
  }
  const stopped = new AbortController()
  const isLate = () => stopped.signal.aborted || performance.now() > endsAt
  const work = [
    takeTurns<Account>(accounts, { width: peopleAtOnce, mayRest, isLate }, async (item) =>
      count('passwords', item, await changePassword(shop.api, item)),
    ),
    takeTurns<Listing>(listings, { width: pricesAtOnce, mayRest, isLate }, async (item) => {
      await count('prices', item, await changePrice(shop.api, token, item))
      await pause(pricePauseMs)
    }),
    strike(),
  ]
  try {
    await Promise.all(work)
  } finally {
    stopped.abort()
    await Promise.allSettled(work)
  }
  const late = [...accounts, ...listings].filter((item) => !mayRest(item)).length
  if (late > 0)
    throw new Error(`After ${limitMs} ms, ${late} have not changed ${changesEach} times.`)
  return counts
}

type Turns<Item> = { width: number; mayRest(item: Item): boolean; isLate(): boolean }

/** Round and round, some at once and each item in one hand at a time, until all may rest. */
async function takeTurns<Item>(
  items: readonly Item[],
  { width, mayRest, isLate }: Turns<Item>,
  step: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const work = async () => {
    for (let item = queue.shift(); item !== undefined && !isLate(); item = queue.shift()) {
      if (mayRest(item)) continue
      await step(item)
      queue.push(item)
    }
  }
  await Promise.all(Array.from({ length: width }, work))
}

/** Does the work for each item, some at once. */
export async function each<Item>(
  items: readonly Item[],
  width: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items]
  const drain = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: width }, drain))
}

async function gather<Item>(count: number, width: number, make: () => Promise<Item>) {
  const made: Item[] = []
  await each([...Array(count).keys()], width, async () => {
    made.push(await make())
  })
  return made
}
