import { eventually } from '@halles/kit/testing'
import { type Account, newestOf, signIn } from './accounts.ts'
import type { Platform } from './platform.ts'
import { each, type Memory, type Shopper } from './workload.ts'

// Each sign-in costs 13 ms of hashing; the hashes of all the others are read from the databases.
const sampled = 20

/** The same promises as people see them, through the public API; empty when all are kept. */
export async function findVisibleComplaints(platform: Platform, memory: Memory): Promise<string[]> {
  const complaints: string[] = []
  const step = Math.max(1, Math.floor(memory.accounts.length / sampled))
  const sample = memory.accounts.filter((_, index) => index % step === 0)
  await each(sample, 4, async (account) => {
    complaints.push(...(await visitAsCustomer(platform, account)))
  })
  await each(memory.shoppers, 4, async (shopper) => {
    complaints.push(...(await visitAsShopper(platform, memory, shopper)))
  })
  return complaints
}

/** Tries the previous password, every session of it and of older ones, and then the newest. */
async function visitAsCustomer({ shop }: Platform, account: Account): Promise<string[]> {
  const { api } = shop
  const { id, email, passwords, sessions } = account
  const complaints: string[] = []
  const previous = passwords.length - 2
  if (previous >= 0) {
    const body = { email, password: passwords[previous] ?? '' }
    const { status } = await api.send('signIn', { body })
    if (status !== 401) complaints.push(`customer ${id}: password ${previous} answers ${status}`)
  }
  const older = sessions.filter(({ opensWith }) => opensWith < passwords.length - 1)
  for (const session of older.filter(({ isBuried }) => !isBuried)) {
    const { refreshToken, token } = session
    const refreshed = await api.send('refreshSession', { body: { refreshToken } })
    if (refreshed.status !== 401) {
      const { status } = refreshed
      complaints.push(`customer ${id}: to refresh session ${session.id} answers ${status}`)
    }
    // Each gateway hears of it by an event of its own.
    await eventually(async () => (await api.send('getMe', { token })).status === 401).catch(() => {
      complaints.push(`customer ${id}: the access token of session ${session.id} is good`)
    })
    session.isBuried = true
  }
  const session = await signIn(api, account, newestOf(account))
  if (typeof session === 'string') {
    return [...complaints, `customer ${id}: the newest password does not sign in`]
  }
  const me = await api.send('getMe', { token: session.token })
  if (me.status !== 200) complaints.push(`customer ${id}: a new session answers ${me.status}`)
  return complaints
}

async function visitAsShopper(
  { shop }: Platform,
  { listings }: Memory,
  { token, cartId, variantIds }: Shopper,
): Promise<string[]> {
  const cart = await shop.api.ask('getCart', { params: { cartId }, token })
  const wishlist = await shop.api.ask('getWishlist', { token })
  const shown = {
    cart: new Map(cart.lines.map((line) => [line.variantId, line.unitPrice.amountMinor])),
    wishlist: new Map(wishlist.items.map((item) => [item.variantId, item.price.amountMinor])),
  }
  const held = listings.filter(({ variantId }) => variantIds.includes(variantId))
  return held.flatMap(({ productId, variantId, amounts, unanswered }) =>
    (['cart', 'wishlist'] as const).flatMap((place) => {
      const amount = shown[place].get(variantId)
      const isRight = amount !== undefined && [amounts.at(-1), unanswered].includes(amount)
      return isRight
        ? []
        : `product ${productId}: a ${place} shows ${amount}, not ${amounts.at(-1)}`
    }),
  )
}
