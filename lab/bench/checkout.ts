import { setTimeout as delay } from 'node:timers/promises'
import type { Cart } from '@halles/contracts/gen/http/carts'
import type { Order } from '@halles/contracts/gen/http/orders'
import { Agent, request } from 'undici'
import { card } from '../../tests/e2e/hosted-page.ts'
import { shippingAddress } from '../../tests/e2e/shop.ts'

// A paid order shows within some tens of milliseconds; asking more often would be the load.
const pollMs = 15
const paidLimitMs = 20_000
const answerLimitMs = 20_000

type Call = { method: 'GET' | 'POST' | 'PUT'; body?: unknown; headers?: Record<string, string> }

/** A guest who buys one piece: cart, line, order, card page, and the order read until it is paid. */
export function createCheckout(url: string) {
  const agent = new Agent({ connections: 64 })

  async function call<T>(path: string, { method, body, headers = {} }: Call): Promise<T> {
    const answer = await request(`${url}/api/v1${path}`, {
      dispatcher: agent,
      method,
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headersTimeout: answerLimitMs,
      bodyTimeout: answerLimitMs,
    })
    const text = await answer.body.text()
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`)
    return JSON.parse(text) as T
  }

  async function payAt(page: string): Promise<void> {
    const fields = { number: card.good, expiry: '12/40', cvc: '123' }
    const answer = await request(page, {
      dispatcher: agent,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(fields).toString(),
    })
    await answer.body.dump()
    if (answer.statusCode !== 303) throw new Error(`The card page said ${answer.statusCode}.`)
  }

  async function untilPaid({ id, accessToken }: Order): Promise<void> {
    const endsAtMs = performance.now() + paidLimitMs
    const headers = { authorization: `Bearer ${accessToken}` }
    for (;;) {
      const { status } = await call<Order>(`/orders/${id}`, { method: 'GET', headers })
      if (status === 'paid') return
      if (performance.now() > endsAtMs) throw new Error(`Order ${id} is still ${status}.`)
      await delay(pollMs)
    }
  }

  return {
    async buy(variantId: string, key: string): Promise<void> {
      const { id: cartId } = await call<Cart>('/carts', { method: 'POST' })
      const line = { method: 'PUT', body: { quantity: 1 } } as const
      const { total } = await call<Cart>(`/carts/${cartId}/lines/${variantId}`, line)
      const order = await call<Order>('/orders', {
        method: 'POST',
        headers: { 'idempotency-key': key },
        body: { cartId, email: 'bench@example.com', shippingAddress, expectedTotal: total },
      })
      await payAt(order.payment.redirectUrl ?? '')
      await untilPaid(order)
    },
    close: () => agent.close(),
  }
}
