import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, test } from 'node:test'
import type { Shop } from '../shop.ts'

/** One of two gateways dies; the other one goes on. */
export function gatewayLoss({ stack, api, sell, cartWith, checkout, paidOrder }: Shop): void {
  describe('When one gateway is killed', () => {
    test('shoppers go on reading and buying, and it comes back', async () => {
      const gateways = stack.processes('gateway')
      assert.equal(gateways.length, 2)
      const { variantId } = await sell()
      const cart = await cartWith({ [variantId]: 1 })
      const [killed] = stack.kill(gateways[0]?.instance ?? '')

      for (let count = 0; count < 40; count += 1) {
        const { items } = await api.ask('listProducts', { query: { limit: 3 } })
        assert.equal(items.length, 3)
      }
      const order = await checkout(cart)
      assert.equal(order.status, 'pending_payment')
      await paidOrder(variantId)

      await stack.untilReady('gateway')
      const after = stack.processes('gateway')
      assert.equal(after.length, 2)
      assert.ok(after.every(({ pid }) => pid !== killed))
      const restarted = after.find(({ instance }) => instance === gateways[0]?.instance)
      assert.equal(restarted?.restarts, (gateways[0]?.restarts ?? 0) + 1)
    })

    test('whoever connects once it is gone reaches the other one', async () => {
      const [first, second] = stack.processes('gateway')
      assert.ok(first && second)
      // What the killed one had accepted breaks; that is not looked at here.
      let isGone = false
      const answered = new Set<number>()
      const failures: string[] = []
      const visitors = Array.from({ length: 4 }, async () => {
        for (let after = 0; after < 150; ) {
          const countsNow = isGone
          if (countsNow) after += 1
          const { status, pid, error } = await visit(stack.url)
          if (countsNow && status !== 200) failures.push(error ?? `answered ${status}`)
          if (countsNow && pid !== undefined) answered.add(pid)
        }
      })
      await stack.crash(first.instance)
      isGone = true
      await Promise.all(visitors)
      assert.deepEqual(failures, [])
      assert.ok(second.pid !== undefined && answered.has(second.pid))
      assert.ok(!answered.has(first.pid ?? 0))
      await stack.untilReady('gateway')
    })
  })
}

type Visit = { status?: number | undefined; pid?: number; error?: string }

/** Asks who answers, on a connection of its own. */
function visit(url: string): Promise<Visit> {
  return new Promise((resolve) => {
    const failed = ({ message }: Error) => resolve({ error: message })
    const asked = request(`${url}/readyz`, { agent: false }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => {
        text += chunk
      })
      answer.on('error', failed)
      answer.on('end', () => {
        const { pid } = JSON.parse(text) as { pid?: number }
        resolve({ status: answer.statusCode, ...(pid !== undefined && { pid }) })
      })
    })
    asked.on('error', failed).end()
  })
}
