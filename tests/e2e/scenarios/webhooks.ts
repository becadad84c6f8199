import assert from 'node:assert/strict'
import { createHmac, randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { eventually } from '@halles/kit/testing'
import { toProblem } from '../api.ts'
import { createSandboxClient } from '../sandbox.ts'
import type { Shop } from '../shop.ts'

type Signing = { secret: string; ageSeconds?: number; payload?: string }

/** A header as the provider writes it: over the time and the exact bytes. */
function sign(payload: string, { secret, ageSeconds = 0 }: Signing): string {
  const at = Math.floor(Date.now() / 1_000) - ageSeconds
  const signature = createHmac('sha256', secret).update(`${at}.${payload}`).digest('hex')
  return `t=${at},v1=${signature}`
}

function anEvent(type: string, object: object): string {
  return JSON.stringify({
    id: `evt_${randomUUID().replaceAll('-', '')}`,
    object: 'event',
    api_version: '2026-01-01',
    created: Math.floor(Date.now() / 1_000),
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
    data: { object },
  })
}

/** The provider's notifications: the answer is the outcome. */
export function webhooks(shop: Shop): void {
  const { api, stack, sell, paidOrder, stockOf } = shop

  function post(payload: string, signature?: string) {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (signature !== undefined) headers['stripe-signature'] = signature
    return api.raw({ method: 'POST', target: '/api/v1/webhooks/stripe', headers, body: payload })
  }

  describe('A webhook', () => {
    test('that is repeated is absorbed: the order stays paid and stock is sold once', async () => {
      const sandbox = createSandboxClient(stack)
      const { variantId } = await sell({ quantity: 9 })
      const order = await paidOrder(variantId, 2)
      const delivery = await eventually(async () => {
        const completed = (await sandbox.deliveries()).filter(({ type, state }) => {
          return type === 'checkout.session.completed' && state === 'delivered'
        })
        for (const each of completed) {
          const event = await sandbox.event(each.eventId)
          if (JSON.stringify(event).includes(order.id)) return each
        }
        return false
      })
      for (const _time of [1, 2, 3]) {
        const attempt = await sandbox.resend(delivery.eventId)
        assert.equal(attempt.status, 200)
        const expected = { received: true, outcome: 'duplicate' }
        assert.deepEqual(JSON.parse(attempt.responseBody ?? ''), expected)
      }
      await eventually(async () => {
        const { quantity, reserved } = await stockOf(variantId)
        assert.deepEqual([quantity, reserved], [7, 0])
      })
    })

    test('that is forged, altered, unsigned or old is refused', async () => {
      const { webhookSecret: secret } = createSandboxClient(stack)
      const payload = anEvent('customer.created', { id: 'cus_1', object: 'customer' })
      const answers = await Promise.all([
        post(payload, sign(payload, { secret: `${secret}x` })),
        post(payload.replace('cus_1', 'cus_2'), sign(payload, { secret })),
        post(payload),
        post(payload, 'no signature at all'),
        post(payload, sign(payload, { secret, ageSeconds: 3_600 })),
      ])
      for (const answer of answers) assert.equal(toProblem(answer).status, 400)
    })

    test('of a type that nobody needs is taken and ignored', async () => {
      const { webhookSecret: secret } = createSandboxClient(stack)
      const payload = anEvent('customer.created', { id: 'cus_1', object: 'customer' })
      const answer = await post(payload, sign(payload, { secret }))
      assert.equal(answer.status, 200, JSON.stringify(answer.body))
      assert.deepEqual(answer.body, { received: true, outcome: 'ignored' })
    })

    test('that is signed but no event is refused', async () => {
      const { webhookSecret: secret } = createSandboxClient(stack)
      for (const payload of ['{', '[]', '{}', 'null', '{"id":1,"type":{}}']) {
        const answer = await post(payload, sign(payload, { secret }))
        assert.equal(toProblem(answer).status, 400, payload)
      }
    })
  })
}
