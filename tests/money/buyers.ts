import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Cart } from '@halles/contracts/gen/http/carts'
import type { Order } from '@halles/contracts/gen/http/orders'
import type { Answer, Input, Operation, Operations } from '../e2e/api.ts'
import { postCard } from '../e2e/hosted-page.ts'
import { newOrder, type Shop } from '../e2e/shop.ts'

export type Bought = 'paid' | 'left' | 'cancelled' | 'refunded' | 'refused'

// Longer than a killed part or a killed database takes to come back on a busy machine.
const patienceMs = 90_000
const pauseMs = 250

/**
 * Asks as a good client does: what failed on the way, or is said to work later, is asked again.
 * Nothing but carts and reads is repeated without an Idempotency-Key.
 */
export async function insist<Name extends Operation>(
  { api }: Pick<Shop, 'api'>,
  operation: Name,
  input: Input<Name>,
): Promise<Answer> {
  const until = performance.now() + patienceMs
  for (;;) {
    const answer = await api.send(operation, input).catch((error: unknown) => {
      if (performance.now() > until) throw error
      return undefined
    })
    const isOver = answer !== undefined && answer.status < 500 && answer.status !== 429
    if (isOver) return answer
    if (performance.now() > until) {
      throw new Error(`${operation} answers ${answer?.status}: ${JSON.stringify(answer?.body)}`)
    }
    await pause(pauseMs)
  }
}

async function must<Name extends Operation>(
  shop: Pick<Shop, 'api'>,
  operation: Name,
  input: Input<Name>,
): Promise<Operations[Name]['reply']> {
  const answer = await insist(shop, operation, input)
  if (answer.status < 300) return answer.body as Operations[Name]['reply']
  throw new Error(`${operation} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
}

/** One shopper from the empty cart to wherever they end; `dice` says where. */
export async function buy(
  shop: Shop,
  {
    variantId,
    quantity,
    dice,
  }: { variantId: string; quantity: number; dice: (n: number) => number },
): Promise<Bought> {
  const cart = await fillCart(shop, variantId, quantity)
  const order = await checkOut(shop, cart)
  if (!order) return 'refused'
  const end = dice(100)
  if (end < 10) return 'left'
  if (end < 20) {
    await cancel(shop, order)
    return 'cancelled'
  }
  await pay(order, end < 30 ? '4000000000007726' : '4242424242424242')
  // Some come back to the shop before the webhook does.
  if (end < 60) {
    const { id: orderId, accessToken: token } = order
    await must(shop, 'checkPayment', { params: { orderId }, token })
  }
  if (end >= 80) return 'paid'
  if (end < 40) {
    await cancel(shop, order)
    return 'cancelled'
  }
  return end < 50 ? refund(shop, order) : 'paid'
}

async function fillCart(shop: Shop, variantId: string, quantity: number): Promise<Cart> {
  const cart = await must(shop, 'createCart', {})
  const until = performance.now() + patienceMs
  for (;;) {
    const params = { cartId: cart.id, variantId }
    const answer = await insist(shop, 'putCartLine', { params, body: { quantity } })
    if (answer.status === 200) return answer.body as Cart
    // Carts may not have heard of a new variant.
    if (performance.now() > until) throw new Error(`A cart takes no line: ${answer.status}.`)
    await pause(pauseMs)
  }
}

/** Undefined when the shop says for good that it cannot sell. */
async function checkOut(shop: Shop, cart: Cart): Promise<Order | undefined> {
  const until = performance.now() + patienceMs
  for (;;) {
    const headers = { 'idempotency-key': randomUUID() }
    const answer = await insist(shop, 'placeOrder', { headers, body: newOrder(cart) })
    if (answer.status === 201) return answer.body as Order
    const { code } = answer.body as { code?: string }
    if (code === 'OUT_OF_STOCK') return undefined
    // Undone because nobody finished it in time: that asks for a new key.
    if (code !== 'CHECKOUT_ABANDONED' || performance.now() > until) {
      throw new Error(`A checkout was answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    }
  }
}

async function pay(order: Order, number: string): Promise<void> {
  const until = performance.now() + patienceMs
  for (;;) {
    const status = await postCard(order, number).then(
      (page) => page.status,
      () => 0,
    )
    if (status === 303) return
    if (performance.now() > until) throw new Error(`The page to pay on answers ${status}.`)
    await pause(pauseMs)
  }
}

async function cancel(shop: Shop, { id, accessToken: token }: Order): Promise<void> {
  const until = performance.now() + patienceMs
  for (;;) {
    const input = { params: { orderId: id }, token, body: {} }
    // A cancellation that cannot be completed at once is: the answer of a later try says so.
    const { status, body } = await insist(shop, 'cancelOrder', input)
    if (status === 200) return
    if (performance.now() > until) throw new Error(`Not cancelled: ${JSON.stringify(body)}`)
    await pause(pauseMs)
  }
}

/** Staff give back half of what was paid, as soon as it is known. */
async function refund(shop: Shop, { id: orderId, total }: Order): Promise<Bought> {
  const headers = { 'idempotency-key': randomUUID() }
  const amount = { ...total, amountMinor: Math.ceil(total.amountMinor / 2) }
  const until = performance.now() + patienceMs
  for (;;) {
    const token = await shop.admin()
    const input = { params: { orderId }, token, headers, body: { amount } }
    const { status, body } = await insist(shop, 'refundOrder', input)
    if (status === 201) return 'refunded'
    if (performance.now() > until) throw new Error(`Not refunded: ${JSON.stringify(body)}`)
    await pause(pauseMs)
  }
}
