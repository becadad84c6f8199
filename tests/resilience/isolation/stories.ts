import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Order } from '@halles/contracts/gen/http/orders'
import { eventually } from '@halles/kit/testing'
import { card, postCard } from '../../e2e/hosted-page.ts'
import { createSandboxClient } from '../../e2e/sandbox.ts'
import { newEmail, newOrder, type Shop, unique } from '../../e2e/shop.ts'
import type { Fault } from './faults.ts'
import { assertAway, euros } from './pages.ts'

/** What somebody begins before a fault, tries while it lasts, and finds when it is over. */
export type Story = { meanwhile(): Promise<void>; afterwards(): Promise<void> }
export type Teller = (shop: Shop, fault: Fault) => Promise<Story>

// A lease of a checkout or of a message may have to run out, and the provider asks again.
export const recovery = { limitMs: 60_000, intervalMs: 100 }

/** Several stories at once. */
export const told =
  (...tellers: Teller[]): Teller =>
  async (shop, fault) => {
    const stories = await Promise.all(tellers.map((teller) => teller(shop, fault)))
    return {
      meanwhile: async () => void (await Promise.all(stories.map((story) => story.meanwhile()))),
      async afterwards() {
        for (const story of stories) await story.afterwards()
      },
    }
  }

export const nothing: Teller = async () => ({
  meanwhile: async () => undefined,
  afterwards: async () => undefined,
})

/** A checkout is one order, one reservation and one payment, however often its key is sent. */
export const oneOrder: Teller = async ({ api, stack, sell, cartWith, stockOf }, { isAway }) => {
  const { variantId } = await sell({ quantity: 4 })
  const cart = await cartWith({ [variantId]: 1 })
  const request = { headers: { 'idempotency-key': randomUUID() }, body: newOrder(cart) }
  let early: Order | undefined
  return {
    async meanwhile() {
      const answer = await api.send('placeOrder', request)
      if (isAway || answer.status !== 201) assertAway(answer)
      else early = answer.body as Order
    },
    async afterwards() {
      const order = await eventually(() => api.ask('placeOrder', request), recovery)
      assert.equal(order.id, early?.id ?? order.id)
      assert.equal((await api.ask('placeOrder', request)).id, order.id)
      assert.equal((await stockOf(variantId)).reserved, 1)
      const sessions = await createSandboxClient(stack).sessions()
      assert.equal(sessions.filter((each) => JSON.stringify(each).includes(order.id)).length, 1)
    },
  }
}

/** A payment that the provider takes meanwhile is heard of in the end, and counted once. */
export const paidMeanwhile: Teller = async (shop, { isAway }) => {
  const { stack, sell, cartWith, checkout, orderBecomes, stockOf } = shop
  const { variantId } = await sell({ quantity: 4 })
  const order = await checkout(await cartWith({ [variantId]: 1 }))
  const sandbox = createSandboxClient(stack)
  const session = await sandbox.sessionOf(order)

  /** The answers to what the provider sent of this order's payment. */
  async function answers(): Promise<(number | null)[]> {
    const told = (await sandbox.deliveries()).filter(({ attempts }) => attempts.length > 0)
    const own = await Promise.all(
      told
        .filter(({ type }) => type === 'checkout.session.completed')
        // The newest come first, and nobody else pays while orders or payments is away.
        .slice(0, 10)
        .map(async (each) => {
          const { data } = await sandbox.event(each.eventId)
          return data.object.id === session.id ? each.attempts.map(({ status }) => status) : []
        }),
    )
    return own.flat()
  }

  return {
    async meanwhile() {
      assert.equal((await postCard(order, card.good)).status, 303)
      if (!isAway) return
      await eventually(async () => {
        const known = await answers()
        assert.ok(known.length > 0, 'The provider has not been answered.')
        // Null where it gave up before the gateway did.
        assert.ok(known.every((status) => status === null || status >= 500))
      }, recovery)
    },
    async afterwards() {
      await orderBecomes(order, 'paid', order.accessToken)
      await eventually(async () => {
        const { quantity, reserved } = await stockOf(variantId)
        assert.deepEqual([quantity, reserved], [3, 0])
      }, recovery)
    },
  }
}

/** A password that is changed meanwhile is the one that counts; older sessions are over. */
export const newPassword: Teller = async ({ api, signUp, signIn }) => {
  const { email, password, token } = await signUp()
  const changed = `market-${unique()}`
  return {
    async meanwhile() {
      const body = { currentPassword: password, newPassword: changed }
      await api.ask('changePassword', { token, body })
    },
    async afterwards() {
      await eventually(() => api.refused('getMe', { status: 401 }, { token }), recovery)
      await signIn(email, changed)
      await api.refused('signIn', { status: 401 }, { body: { email, password } })
    },
  }
}

/** A sign-up that was refused can be sent again; either way there is one account that opens. */
export const newCustomer: Teller = async ({ api, signIn }, { isAway }) => {
  const body = { email: newEmail(), password: `market-${unique()}`, name: 'Odette' }
  return {
    async meanwhile() {
      const answer = await api.send('signUp', { body })
      if (isAway || answer.status !== 201) assertAway(answer)
    },
    async afterwards() {
      const again = await eventually(async () => {
        const answer = await api.send('signUp', { body })
        assert.ok([201, 409].includes(answer.status), `signUp answered ${answer.status}.`)
        return answer
      }, recovery)
      assert.ok(again)
      const { token } = await signIn(body.email, body.password)
      assert.equal((await api.ask('getMe', { token })).email, body.email)
    },
  }
}

/** A price that changes meanwhile is in the cart afterwards, beside that of before. */
export const newPriceInCart: Teller = async ({ api, admin, sell, cartWith }) => {
  const { variantId } = await sell({ amountMinor: 300 })
  const { id: cartId } = await cartWith({ [variantId]: 1 })
  return {
    async meanwhile() {
      await api.ask('setPrice', { token: await admin(), params: { variantId }, body: euros(450) })
    },
    afterwards: () =>
      eventually(async () => {
        const { lines } = await api.ask('getCart', { params: { cartId } })
        assert.deepEqual(lines[0]?.unitPrice, euros(450))
        assert.deepEqual(lines[0]?.unitPriceWhenAdded, euros(300))
      }, recovery),
  }
}

/** The same of a wishlist. */
export const newPriceOfWish: Teller = async ({ api, admin, sell, signUp }) => {
  const { token } = await signUp()
  const { variantId } = await sell({ amountMinor: 300 })
  await eventually(() => api.ask('putWishlistItem', { params: { variantId }, token }))
  return {
    async meanwhile() {
      await api.ask('setPrice', { token: await admin(), params: { variantId }, body: euros(450) })
    },
    afterwards: () =>
      eventually(async () => {
        const { items } = await api.ask('getWishlist', { token })
        assert.deepEqual(items[0]?.price, euros(450))
        assert.deepEqual(items[0]?.priceWhenAdded, euros(300))
      }, recovery),
  }
}

/** Who comes finds another gateway while one is away, and either of them afterwards. */
export const allGatewaysAnswer: Teller = async ({ api, stack }, { isAway }) => {
  const names = stack.processes('gateway').map(({ instance }) => instance)

  /** The gateways that answer a few people, each on a connection of their own. */
  async function answering(): Promise<Set<string>> {
    const found = new Set<string>()
    for (let asked = 0; asked < 20; asked += 1) {
      const headers = { connection: 'close' }
      const { status, body } = await api.raw({ method: 'GET', target: '/readyz', headers })
      assert.equal(status, 200)
      found.add((body as { id: string }).id)
    }
    return found
  }
  return {
    async meanwhile() {
      if (!isAway) return
      await eventually(async () => assert.equal((await answering()).size, 1), recovery)
    },
    afterwards: () =>
      eventually(async () => assert.deepEqual([...(await answering())].sort(), names), recovery),
  }
}
