import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { Order } from '@halles/contracts/gen/http/orders'
import { eventually } from '@halles/kit/testing'
import { toProblem } from '../e2e/api.ts'
import { postCard } from '../e2e/hosted-page.ts'
import { newOrder, type Shop } from '../e2e/shop.ts'
import { insist } from './buyers.ts'
import { holdMoney, untilSettled } from './held.ts'
import { openSandbox } from './ledger.ts'

const calm = { limitMs: 60_000, intervalMs: 200 }

/** Many at once, and opposite wishes at once. */
export function crowds(shop: Shop): void {
  const { api, stack, sell, cartWith, pay, paidOrder, stockOf } = shop
  const sandboxIntentOf = async (order: Pick<Order, 'id'>) => {
    const books = await openSandbox(stack).books()
    const own = books.find(({ session }) => session.client_reference_id === order.id)
    assert.ok(own?.intent, 'The provider has no payment of the order.')
    return own.intent.id
  }
  const readOrder = async ({ id }: Pick<Order, 'id'>) =>
    api.ask('getOrder', { params: { orderId: id }, token: await shop.admin() })

  describe('Crowds', () => {
    test('two hundred buyers of fifty pieces: fifty orders, fifty charges, no piece twice', async () => {
      const { variantId } = await sell({ quantity: 50 })
      const answers = await Promise.all(
        Array.from({ length: 200 }, async () => {
          const cart = await eventually(() => cartWith({ [variantId]: 1 }), calm)
          const headers = { 'idempotency-key': randomUUID() }
          return insist(shop, 'placeOrder', { headers, body: newOrder(cart) })
        }),
      )
      const placed = answers.filter(({ status }) => status === 201).map(({ body }) => body as Order)
      assert.equal(new Set(placed.map(({ id }) => id)).size, 50)
      for (const answer of answers.filter(({ status }) => status !== 201)) {
        assert.equal(toProblem(answer).code, 'OUT_OF_STOCK')
      }
      assert.deepEqual((await stockOf(variantId)).reserved, 50)
      await Promise.all(placed.map((order) => pay(order)))
      await eventually(async () => {
        const { quantity, reserved } = await stockOf(variantId)
        assert.deepEqual([quantity, reserved], [0, 0])
      }, calm)
      await untilSettled(shop)
      const { faults } = await holdMoney(shop, [{ variantId, initial: 50 }])
      assert.deepEqual(faults, [])
    })

    test('the same checkout sent fifty times at once is one order and one session', async () => {
      const { variantId } = await sell({ quantity: 60 })
      const cart = await cartWith({ [variantId]: 1 })
      const input = { headers: { 'idempotency-key': randomUUID() }, body: newOrder(cart) }
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => insist(shop, 'placeOrder', input)),
      )
      assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201])
      const [orderId, ...others] = new Set(answers.map(({ body }) => (body as Order).id))
      assert.deepEqual(others, [])
      assert.equal((await stockOf(variantId)).reserved, 1)
      const books = await openSandbox(stack).books()
      const own = books.filter(({ session }) => session.client_reference_id === orderId)
      assert.equal(own.length, 1)
    })

    test('a refund and a dispute at the same time: the books agree, whoever comes first', async () => {
      const { variantId } = await sell({ quantity: 20 })
      const orders = await Promise.all(Array.from({ length: 6 }, () => paidOrder(variantId)))
      const sandbox = openSandbox(stack)
      const token = await shop.admin()
      await Promise.all(
        orders.map(async (order) => {
          const intentId = await sandboxIntentOf(order)
          const headers = { 'idempotency-key': randomUUID() }
          const input = { params: { orderId: order.id }, token, headers }
          const [refund] = await Promise.all([
            insist(shop, 'refundOrder', { ...input, body: { amount: order.total } }),
            // The provider refuses it where the refund was faster.
            sandbox.dispute(intentId).catch((error: unknown) => assert.ok(error instanceof Error)),
          ])
          assert.ok([201, 409].includes(refund.status), JSON.stringify(refund.body))
        }),
      )
      await untilSettled(shop)
      for (const order of orders) {
        const { status, payment } = await readOrder(order)
        const isRefunded = status === 'refunded' && payment.dispute === null
        const isDisputed = status === 'paid' && payment.dispute === 'open'
        assert.ok(isRefunded !== isDisputed, `${status}, dispute ${payment.dispute}`)
      }
      assert.deepEqual((await holdMoney(shop, [])).faults, [])
    })

    test('a cancellation while the webhook arrives: cancelled, and nobody keeps the money', async () => {
      const { variantId } = await sell({ quantity: 20 })
      const orders = await Promise.all(
        Array.from({ length: 8 }, async () => shop.checkout(await cartWith({ [variantId]: 1 }))),
      )
      await Promise.all(
        orders.map(async (order) => {
          const params = { orderId: order.id }
          const cancelled = () =>
            insist(shop, 'cancelOrder', { params, token: order.accessToken, body: {} })
          const [page, answer] = await Promise.all([
            postCard(order, '4242424242424242'),
            cancelled(),
          ])
          // 410: the page was closed before the card came.
          assert.ok([303, 410].includes(page.status), `${page.status}`)
          assert.equal(answer.status, 200, JSON.stringify(answer.body))
        }),
      )
      await untilSettled(shop)
      for (const order of orders) assert.equal((await readOrder(order)).status, 'cancelled')
      const { faults } = await holdMoney(shop, [{ variantId, initial: 20 }])
      assert.deepEqual(faults, [])
    })
  })
}
