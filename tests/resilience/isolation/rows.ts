import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Answer } from '../../e2e/api.ts'
import type { Shop } from '../../e2e/shop.ts'
import type { StackUnderTest } from '../../e2e/stack-under-test.ts'
import type { CrowdQuestion } from './crowd.ts'
import type { Breakable } from './faults.ts'
import type { Row } from './isolation.ts'
import { createPeople, type Service } from './pages.ts'
import {
  newCustomer,
  newPassword,
  newPriceInCart,
  newPriceOfWish,
  nothing,
  oneOrder,
  paidMeanwhile,
  type Teller,
  told,
} from './stories.ts'
import { untilFollowed } from './ways.ts'

/** What people ask each service when they come all at once. */
export type Crowds = { open(): Promise<void>; of(service: Service): CrowdQuestion }

/** @returns crowds of people who hold a session, a cart and whatever else they need. */
export function createCrowds(shop: Shop): Crowds {
  const { send } = createPeople(shop.stack)
  let known: { customer: string; staff: string; cartId: string } | undefined
  const who = () => {
    assert.ok(known, 'The crowds have not been opened.')
    return known
  }
  const questions: Record<Service, () => Promise<Answer>> = {
    auth: () => send('refreshSession', { body: { refreshToken: `rt_${randomUUID()}` } }),
    rbac: () => send('listRoles', { token: who().staff }),
    customers: () => send('getMe', { token: who().customer }),
    // Another search each time, so that no cache knows the answer.
    products: () => send('listProducts', { query: { q: randomUUID() } }),
    carts: () => send('getCart', { params: { cartId: who().cartId } }),
    wishlists: () => send('getWishlist', { token: who().customer }),
    orders: () => send('listOrders', { token: who().customer }),
    payments: () => send('listProviderEvents', { token: who().staff }),
  }
  return {
    async open() {
      const { token: customer } = await shop.signUp()
      const { variantId } = await shop.sell()
      const { id: cartId } = await shop.cartWith({ [variantId]: 1 })
      known = { customer, staff: await shop.admin(), cartId }
    },
    of: (service) => ({ ask: questions[service], status: service === 'auth' ? 401 : 200 }),
  }
}

/** All instances of a part of the stack. */
export function stackPart(stack: StackUnderTest, part: string): Breakable {
  return {
    stop: () => stack.stopPart(part),
    start: () => stack.startPart(part),
    kill: () => stack.crash(part),
    returns: () => stack.untilReady(part),
    freeze: () => stack.freeze(part),
    thaw: () => stack.thaw(part),
  }
}

/** The same of a service, which can be late too. */
function servicePart(stack: StackUnderTest, service: Service): Breakable {
  return {
    ...stackPart(stack, service),
    async slow(byMs) {
      if (byMs > 0) {
        // Callers first move to the slow door, so that all of them meet the delay at once.
        await stack.slow(service, 1)
        await untilFollowed(stack, service)
      }
      await stack.slow(service, byMs)
      if (byMs === 0) await untilFollowed(stack, service)
    },
  }
}

/** One row for each service. */
export function serviceRows(shop: Shop, crowds: Crowds, staleCatalogue: Teller): Row[] {
  const row = (name: Service, goesOn: string, story: Teller): Row => ({
    name,
    goesOn,
    parts: [name],
    breaks: [name],
    part: servicePart(shop.stack, name),
    crowd: crowds.of(name),
    isProbed: true,
    story,
  })
  return [
    row('auth', 'who is signed in goes on and buys, and a new password waits', newPassword),
    row('rbac', 'shoppers notice nothing, staff works by the last known policy', nothing),
    row('customers', 'everything but profile and sign-up works, signing in too', newCustomer),
    row('carts', 'the rest of the shop works, missed prices apply', told(newPriceInCart, oneOrder)),
    row('wishlists', 'the rest of the shop works, missed prices apply', newPriceOfWish),
    row(
      'orders',
      'shoppers browse and fill carts, the provider settles later',
      told(oneOrder, paidMeanwhile),
    ),
    row(
      'payments',
      'orders can be read, nothing is charged twice, the provider settles later',
      told(oneOrder, paidMeanwhile),
    ),
    row(
      'products',
      'the catalogue is served and marked when it is stale, carts and wishlists work',
      told(staleCatalogue, oneOrder),
    ),
  ]
}
