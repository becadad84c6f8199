import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { eventually } from '@halles/kit/testing'
import {
  type Answer,
  type Api,
  createApi,
  type Input,
  type Operation,
  type Operations,
  toProblem,
} from '../../e2e/api.ts'
import { card, postCard } from '../../e2e/hosted-page.ts'
import { newOrder, type Shop, unique } from '../../e2e/shop.ts'
import type { StackUnderTest } from '../../e2e/stack-under-test.ts'
import type { ShopWindow } from './catalogue.ts'

export const services = [
  'auth',
  'rbac',
  'customers',
  'products',
  'carts',
  'wishlists',
  'orders',
  'payments',
] as const
export type Service = (typeof services)[number]

/** What somebody does in the shop or its office, in one step or a few. */
export type Page = {
  name: string
  /** The services without which it cannot work. */
  needs: readonly Service[]
  /** Nothing is changed by it, so whoever stands in between may ask again. */
  isRead?: true
  /** Too long to be done all the time. */
  isLong?: true
  /** Throws an error whose cause is the answer, when that is a refusal. */
  visit(): Promise<unknown>
}

export const selling: readonly Service[] = ['carts', 'products', 'orders', 'payments']

/** People of the shop. */
export type People = Pick<Api, 'send'>

/** Each on a connection of their own, so that they come through every gateway. */
export function createPeople(stack: StackUnderTest): People {
  // Nothing is asked twice here: what breaks counts.
  const api = createApi(() => stack.url, { readTries: 1 })
  return {
    send: (operation, input) =>
      api.send(operation, { ...input, headers: { ...input?.headers, connection: 'close' } }),
  }
}

/** As `api.ask`, with the refusal as cause of the error. */
export async function ask<Name extends Operation>(
  people: People,
  operation: Name,
  input?: Input<Name>,
): Promise<Operations[Name]['reply']> {
  const answer = await people.send(operation, input)
  if (answer.status < 300) return answer.body as Operations[Name]['reply']
  const text = `${operation} answered ${answer.status}: ${JSON.stringify(answer.body)}`
  throw new Error(text, { cause: answer })
}

/** Whoever asks is told that it cannot be now, and when to come back. */
export function assertAway(answer: Answer): void {
  const said = `${answer.status}: ${JSON.stringify(answer.body)}`
  assert.ok([503, 504].includes(answer.status), said)
  assert.match(toProblem(answer).code, /./)
  assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/, said)
}

/** Everything at once, each to its end; throws what was refused. */
export async function visitAll(pages: readonly Page[]): Promise<void> {
  const visits = await Promise.allSettled(pages.map(({ visit }) => visit()))
  const refusals = visits.flatMap((visit) => (visit.status === 'rejected' ? [visit.reason] : []))
  if (refusals.length > 0) throw new Error(refusals.map(String).join('; '))
}

/** Opens it where it may be away: true when it worked, false when it was refused as it should be. */
export async function tryPage({ name, visit }: Page): Promise<boolean> {
  try {
    await visit()
    return true
  } catch (error) {
    const answer = error instanceof Error ? (error.cause as Answer | undefined) : undefined
    if (answer?.status === undefined) throw new Error(`${name} failed.`, { cause: error })
    assertAway(answer)
    return false
  }
}

/** The pages of a shop in which one customer has a cart, a wishlist and an order. */
export async function openPages(shop: Shop, window: ShopWindow): Promise<Page[]> {
  const { stack, signUp, sell, cartWith, checkout } = shop
  const people = createPeople(stack)
  const { token, email, password } = await signUp()
  // Of their own, so that the first page of the other's orders stays as it is.
  const buyer = await signUp()
  const goods = await sell({ quantity: 1_000_000 })
  const { variantId } = goods
  const staff = await shop.admin()
  const cart = await cartWith({ [variantId]: 1 })
  const order = await checkout(await cartWith({ [variantId]: 1 }, token), { token })
  await eventually(() => ask(people, 'putWishlistItem', { params: { variantId }, token }))

  const shopping: Page[] = [
    {
      name: 'the catalogue',
      needs: [],
      isRead: true,
      visit: () => window.look(people),
    },
    {
      name: 'a search',
      needs: ['products'],
      isRead: true,
      visit: () => ask(people, 'listProducts', { query: { q: unique() } }),
    },
    {
      name: 'a cart',
      needs: ['carts'],
      isRead: true,
      async visit() {
        const { lines } = await ask(people, 'getCart', { params: { cartId: cart.id } })
        assert.deepEqual(
          lines.map((line) => line.variantId),
          [variantId],
        )
      },
    },
    {
      name: 'a change of a cart',
      needs: ['carts'],
      visit: () => fill(people, { cartId: cart.id, variantId }),
    },
    {
      name: 'the wishlist',
      needs: ['wishlists'],
      isRead: true,
      async visit() {
        const { items } = await ask(people, 'getWishlist', { token })
        assert.deepEqual(
          items.map((item) => item.variantId),
          [variantId],
        )
      },
    },
    {
      name: 'a wish',
      needs: ['wishlists'],
      visit: () => ask(people, 'putWishlistItem', { params: { variantId }, token }),
    },
    {
      name: 'the profile',
      needs: ['customers'],
      isRead: true,
      visit: () => ask(people, 'getMe', { token }),
    },
    {
      name: 'signing in and staying so',
      needs: ['auth'],
      async visit() {
        const { refreshToken } = await ask(people, 'signIn', { body: { email, password } })
        await ask(people, 'refreshSession', { body: { refreshToken } })
      },
    },
    {
      name: 'the orders',
      needs: ['orders'],
      isRead: true,
      async visit() {
        const { items } = await ask(people, 'listOrders', { token })
        assert.ok(items.some(({ id }) => id === order.id))
        await ask(people, 'getOrder', { params: { orderId: order.id }, token })
      },
    },
    { name: 'the checkout', needs: selling, visit: () => buy(people, variantId) },
    {
      name: 'a purchase',
      needs: selling,
      isLong: true,
      visit: () => purchase(shop, { people, variantId, token: buyer.token }),
    },
  ]
  return [...shopping, ...officePages(people, staff, (await sell()).variantId)]
}

function officePages(people: People, token: string, variantId: string): Page[] {
  const params = { variantId }
  return [
    {
      name: 'the roles',
      needs: ['rbac'],
      isRead: true,
      visit: () => ask(people, 'listRoles', { token }),
    },
    {
      name: 'the stock',
      needs: ['products'],
      isRead: true,
      visit: () => ask(people, 'getStock', { params, token }),
    },
    {
      name: 'a price',
      needs: ['products'],
      visit: () => ask(people, 'setPrice', { params, token, body: euros(1_300) }),
    },
    {
      name: 'what the provider said',
      needs: ['payments'],
      isRead: true,
      visit: () => ask(people, 'listProviderEvents', { token }),
    },
    {
      name: 'the unfinished orders',
      needs: ['orders'],
      isRead: true,
      visit: () => ask(people, 'listUnfinishedOrders', { token }),
    },
  ]
}

export const euros = (amountMinor: number) => ({ amountMinor, currency: 'EUR' })

type Line = { cartId: string; variantId: string; token?: string | undefined }

async function fill(people: People, { cartId, variantId, token }: Line) {
  // Another one each time, so that something is written.
  const quantity = 1 + Math.floor(Math.random() * 900)
  return ask(people, 'putCartLine', { params: { cartId, variantId }, body: { quantity }, token })
}

async function buy(people: People, variantId: string, token?: string) {
  const { id: cartId } = await ask(people, 'createCart', { token })
  const cart = await fill(people, { cartId, variantId, token })
  const headers = { 'idempotency-key': randomUUID() }
  return ask(people, 'placeOrder', { headers, body: newOrder(cart), token })
}

type Purchase = { people: People; variantId: string; token: string }

async function purchase(shop: Shop, { people, variantId, token }: Purchase): Promise<void> {
  const order = await buy(people, variantId, token)
  assert.equal((await postCard(order, card.good)).status, 303)
  await shop.orderBecomes(order, 'paid', token)
}
