import { setTimeout as delay } from 'node:timers/promises'
import type { Order } from '@halles/contracts/gen/http/orders'
import type { Client } from './client.ts'
import type { Goods } from './goods.ts'
import { inParallel } from './in-parallel.ts'
import { currency } from './invoices.ts'
import type { People } from './people.ts'
import type { Plan, Purchase, Return, Step } from './plan.ts'
import { createPolling } from './polling.ts'
import { createPriceBoard, type PriceBoard } from './prices.ts'
import { createShopper, type Shopper } from './purchase.ts'

export type Played = {
  /** Ids of the orders by the purchase's key. */
  orders: Map<string, string>
  paid: number
  refunds: number
  cartLines: number
  priceChanges: number
  failures: { key: string; why: string }[]
}

export type PlayOptions = {
  client: Client
  people: People
  goods: Goods
  /** Steps under way at the same time. */
  inFlight: number
  /** Times real time; infinite is as fast as it goes. */
  speed: number
  /** Called for every line in a cart and for every refund. */
  onProgress(units: number): void
}

type Game = {
  played: Played
  board: PriceBoard
  shopper: Shopper
  options: PlayOptions
  /** The newest purchase of each customer: a cart is filled when the one before is paid. */
  turns: Map<string, Promise<void>>
  /** By the purchase's key; they resolve, however the purchase ended. */
  ended: Map<string, Promise<void>>
}

const refundedLimitMs = 90_000

/**
 * Plays the steps in the order of the file, several at a time. A step that fails is recorded and
 * the rest goes on: the balance will tell what is missing.
 */
export async function play(plan: Plan, options: PlayOptions): Promise<Played> {
  const { goods, speed, inFlight, onProgress } = options
  const played: Played = {
    orders: new Map(),
    paid: 0,
    refunds: 0,
    cartLines: 0,
    priceChanges: 0,
    failures: [],
  }
  const board = createPriceBoard(plan, async (sku, unitMinor) => {
    await goods.setPrice(sku, unitMinor)
    played.priceChanges += 1
  })
  const shopper = createShopper(options)
  const game: Game = { played, board, shopper, options, turns: new Map(), ended: new Map() }
  const pace = createPace(plan.steps[0]?.atMs ?? 0, speed)
  await inParallel(inFlight, plan.steps, async (step) => {
    await pace(step)
    try {
      await (step.kind === 'purchase' ? inTurn(game, step) : takeBack(game, step))
    } catch (error) {
      played.failures.push({ key: step.key, why: toText(error) })
    }
    if (step.kind === 'return') onProgress(step.lines.length)
  })
  return played
}

function createPace(firstMs: number, speed: number) {
  const startedAtMs = performance.now()
  return async ({ atMs }: Step) => {
    const dueMs = startedAtMs + (atMs - firstMs) / speed
    if (dueMs > performance.now()) await delay(dueMs - performance.now())
  }
}

/** Purchases of one customer follow each other, as they share the customer's cart. */
function inTurn(game: Game, purchase: Purchase): Promise<void> {
  const { customer, key } = purchase
  const before = customer === null ? undefined : game.turns.get(customer)
  const own = buy(game, purchase, before)
  const ended = own.catch(() => undefined)
  game.ended.set(key, ended)
  if (customer !== null) game.turns.set(customer, ended)
  return own
}

/**
 * The cart is filled while the prices are being set, since it does not matter in which order; the
 * checkout waits for both, and the prices stay until it is answered.
 */
async function buy(game: Game, purchase: Purchase, before: Promise<void> | undefined) {
  const { board, shopper, played, options } = game
  let linesLeft = purchase.lines.length
  const onLine = () => {
    linesLeft -= 1
    played.cartLines += 1
    options.onProgress(1)
  }
  const fill = async () => {
    await before
    const cartId = await shopper.openCart(purchase)
    await shopper.fillCart(cartId, purchase, onLine)
    return cartId
  }
  const placed = await (async () => {
    try {
      const [cart, prices] = await Promise.allSettled([fill(), board.hold(purchase)])
      if (cart.status === 'rejected') throw cart.reason
      if (prices.status === 'rejected') throw prices.reason
      return await shopper.checkout(cart.value, purchase)
    } finally {
      board.release(purchase)
      options.onProgress(linesLeft)
    }
  })()
  played.orders.set(purchase.key, placed.id)
  await shopper.pay(placed)
  played.paid += 1
}

const refunded = createPolling({ firstMs: 40, limitMs: refundedLimitMs })

async function takeBack({ played, options, ended }: Game, step: Return): Promise<void> {
  const { client, people, goods } = options
  await ended.get(step.purchaseKey)
  const orderId = played.orders.get(step.purchaseKey)
  if (orderId === undefined) throw new Error('What it takes back was not sold.')
  const path = `/orders/${orderId}`
  const order = await client.ask<Order>({
    method: 'POST',
    path: `${path}/refunds`,
    key: `replay-${step.key}`,
    body: {
      lines: step.lines.map(({ sku, quantity }) => ({ variantId: goods.variantOf(sku), quantity })),
      amount: { amountMinor: step.amountMinor, currency },
      isReturned: true,
      reason: `Cancellation ${step.key}`,
    },
    token: await people.admin(),
  })
  if (!areSettled(order)) {
    await refunded.until(async () => {
      const token = await people.admin()
      const now = await client.ask<Order>({ method: 'GET', path, token })
      return areSettled(now) ? undefined : 'has a refund that is under way'
    }, `Order ${orderId}`)
  }
  played.refunds += 1
}

function areSettled({ refunds }: Order): boolean {
  return refunds.every(({ status }) => status === 'succeeded' || status === 'failed')
}

function toText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
