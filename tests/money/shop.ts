import assert from 'node:assert/strict'
import { uuidv7 } from '@halles/kit/ids'
import type { Order } from '../../services/orders/src/domain/order.ts'
import { createProduct } from '../../services/products/src/use-cases/products.ts'
import type { History } from './history.ts'
import type { ProviderEvent } from './provider.ts'
import type { Sabotage, Services } from './services.ts'
import type { World } from './world.ts'

export type Checkout = {
  cartId: string
  key: string
  lines: { variantId: string; quantity: number }[]
  method: 'online' | 'bank_transfer'
  expectedMinor: number
  /** Once the shopper has been answered. */
  orderId: string | null
  /** By variant, what it cost in the shop while this was not over. */
  prices: ReadonlyMap<string, number[]>
}

export type Variant = {
  id: string
  initial: number
  priceMinor: number
  /** What it was asked to cost in this step. */
  asked: number[]
}

/** One shop with its people, for one history. */
export type Shop = World & {
  deps: ReturnType<Services['compose']>
  variants: Variant[]
  checkouts: Checkout[]
  /** Webhooks that were answered with 2xx in this step. */
  accepted: { event: ProviderEvent; outcome: string }[]
  /** What was answered otherwise than it must be. */
  faults: string[]
  staffId: string
}

export async function openShop(
  world: World,
  { captureMethod, stock }: History,
  sabotage: Sabotage,
): Promise<Shop> {
  await world.begin()
  const faults: string[] = []
  const onOrder = (order: Order) => {
    const fault = excessOf(order)
    if (fault) faults.push(fault)
  }
  const deps = world.services.compose({ captureMethod, sabotage, onOrder })
  const prices = [1_250, 3_100]
  const { schedule, carts } = world
  const input = {
    title: `Lamp ${uuidv7()}`,
    options: ['Size'],
    variants: stock.map((quantity, index) => ({
      sku: `L-${uuidv7()}`,
      optionValues: [`${index}`],
      price: { amountMinor: prices[index] ?? 900, currency: 'EUR' },
      quantity,
    })),
  }
  const [made] = await schedule.run([() => createProduct(deps.products, input, 'test')], {
    choose: () => 0,
    fault: null,
  })
  assert.ok(made?.status === 'fulfilled', String(made?.status === 'rejected' && made.reason))
  const variants = made.value.variants.map(({ id, price }, index) => {
    carts.hear(id, price.amountMinor)
    return { id, initial: stock[index] ?? 0, priceMinor: price.amountMinor, asked: [] }
  })
  return { ...world, deps, variants, checkouts: [], accepted: [], faults, staffId: uuidv7() }
}

/** Money that staff asked back is never more than what was taken, and no piece is sent twice. */
function excessOf({
  id,
  payment,
  refunds,
  lines,
  fulfilments,
  cancellation,
}: Order): string | undefined {
  const asked = refunds
    .filter(({ isOurs, status }) => isOurs && status !== 'failed')
    .reduce((sum, { amountMinor }) => sum + amountMinor, 0)
  // A cancellation returns everything, also what a refund that has not been sent yet asks for.
  if (asked > payment.capturedMinor && !cancellation) {
    return `The order ${id} gives back ${asked} of ${payment.capturedMinor} that were taken.`
  }
  const excess = lines.find(({ variantId, quantity }) => {
    const sent = fulfilments
      .flatMap((fulfilment) => fulfilment.lines)
      .filter((line) => line.variantId === variantId)
      .reduce((sum, line) => sum + line.quantity, 0)
    return sent > quantity
  })
  return excess && `The order ${id} sends more than was bought.`
}

export function nthOf<T>(items: readonly T[], index: number): T | undefined {
  return items.length === 0 ? undefined : items[index % items.length]
}
