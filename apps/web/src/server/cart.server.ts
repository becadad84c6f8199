import type { Cart } from '@halles/contracts/gen/http/carts'
import { type Page, problemOf } from './page.server.ts'

const countOf = (cart: Cart) => cart.lines.reduce((sum, line) => sum + line.quantity, 0)

/** Remembers the cart and its count, which the header shows, when they differ from what is known. */
async function remember(page: Page, cart: Cart): Promise<Cart> {
  const { session } = page.visit
  const cartCount = countOf(cart)
  if (session?.cartId !== cart.id || session.cartCount !== cartCount) {
    await page.visit.keep({ cartId: cart.id, cartCount })
  }
  return cart
}

/** The visitor's cart; undefined for a guest who never put anything in. */
export async function readCart(page: Page): Promise<Cart | undefined> {
  const { session, isSignedIn } = page.visit
  if (session?.cartId) {
    try {
      const { data } = await page.call('getCart', { params: { cartId: session.cartId } })
      return await remember(page, data)
    } catch (error) {
      // Old carts are removed, and one that was claimed on another device is another's.
      if (problemOf(error)?.code !== 'CART_NOT_FOUND') throw error
    }
  }
  if (!isSignedIn) return undefined
  return remember(page, (await page.call('getCurrentCart', {})).data)
}

/** The visitor's cart, made when there is none. */
async function needCart(page: Page): Promise<Cart> {
  return (await readCart(page)) ?? (await page.call('createCart', {})).data
}

/** Sets how many of a variant are in the cart; 0 takes it out. */
export async function setQuantity(
  page: Page,
  { variantId, quantity }: { variantId: string; quantity: number },
): Promise<Cart> {
  const cart = await needCart(page)
  return put(page, cart, { variantId, quantity })
}

/** Puts more of a variant into the cart. */
export async function addToCart(
  page: Page,
  { variantId, quantity }: { variantId: string; quantity: number },
): Promise<Cart> {
  const cart = await needCart(page)
  const held = cart.lines.find((line) => line.variantId === variantId)?.quantity ?? 0
  return put(page, cart, { variantId, quantity: Math.min(999, held + quantity) })
}

async function put(
  page: Page,
  cart: Cart,
  { variantId, quantity }: { variantId: string; quantity: number },
): Promise<Cart> {
  const params = { cartId: cart.id, variantId }
  const { data } =
    quantity === 0
      ? await page.call('removeCartLine', { params })
      : await page.call('putCartLine', { params, body: { quantity } })
  return remember(page, data)
}

/** Brings a guest's cart along to who signed in a moment ago. */
export async function claimCart(page: Page): Promise<void> {
  const { session } = page.visit
  const answer = session?.cartId
    ? await page.call('claimCart', { params: { cartId: session.cartId } })
    : await page.call('getCurrentCart', {})
  await remember(page, answer.data)
}

/**
 * Empties the basket after its content was bought. What cannot be taken out now stays to be seen; it
 * is no reason to refuse an order that was made.
 */
export async function forgetCart(page: Page, cart: Cart): Promise<void> {
  // A guest's next basket is a new one; the old one is removed with its age.
  if (!page.visit.isSignedIn) return page.visit.keep({ cartId: null, cartCount: 0 })
  let left = cart
  try {
    for (const { variantId } of cart.lines) {
      const params = { cartId: cart.id, variantId }
      left = (await page.call('removeCartLine', { params })).data
    }
  } catch (error) {
    const problem = problemOf(error)
    if (!problem) throw error
    page.visit.log.warn({ code: problem.code }, 'A basket was not emptied after it was bought.')
  }
  await remember(page, left)
}
