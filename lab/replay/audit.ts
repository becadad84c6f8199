import { setTimeout as delay } from 'node:timers/promises'
import type { Order, OrderPage } from '@halles/contracts/gen/http/orders'
import type { Client } from './client.ts'
import type { Goods } from './goods.ts'
import type { People } from './people.ts'
import { type Plan, type Purchase, type Return, sum } from './plan.ts'
import type { Played } from './play.ts'
import type { Target } from './target.ts'

/** Pence. `provider` is undefined when its ledger cannot be read. */
export type Amounts = { paid: number; refunded: number }

export type Balance = {
  file: Amounts
  shop: Amounts
  provider: Amounts | undefined
  /** Empty when the books balance. */
  differences: string[]
}

/** What there was before the first step. */
export type Opening = { ledger: Amounts | undefined; stock: ReadonlyMap<string, number> }

type Books = {
  plan: Plan
  played: Played
  opening: Opening
  target: Target
  client: Client
  people: People
  goods: Goods
}

const pageSize = 100
// Stock follows orders by messages.
const stockLimitMs = 30_000
const stockPauseMs = 250

export async function readLedger({ ledger }: Target): Promise<Amounts | undefined> {
  if (!ledger) return undefined
  const { captured: paid, refunded } = await ledger()
  return { paid, refunded }
}

/** Compares the file with what the shop and the provider say of themselves, order by order. */
export async function audit(books: Books): Promise<Balance> {
  const { plan, target, opening } = books
  const file = { paid: plan.money.purchasedMinor, refunded: plan.money.returnedMinor }
  const { shop, differences } = await compareOrders(books)
  const now = await readLedger(target)
  const provider =
    now && opening.ledger
      ? { paid: now.paid - opening.ledger.paid, refunded: now.refunded - opening.ledger.refunded }
      : undefined
  for (const [name, amounts] of [
    ['The shop', shop],
    ['The provider', provider],
  ] as const) {
    if (amounts && amounts.paid !== file.paid)
      differences.push(`${name} took ${amounts.paid} pence, the file has ${file.paid}.`)
    if (amounts && amounts.refunded !== file.refunded)
      differences.push(`${name} returned ${amounts.refunded} pence, the file has ${file.refunded}.`)
  }
  differences.push(...(await compareStock(books)))
  return { file, shop, provider, differences }
}

async function compareOrders({ plan, played, target, client, people }: Books) {
  const wanted = new Set(played.orders.values())
  const summaries = await listOrders({ client, people, target }, wanted)
  const returns = Map.groupBy(plan.steps.filter(isReturn), ({ purchaseKey }) => purchaseKey)
  const shop = { paid: 0, refunded: 0 }
  const differences: string[] = []
  for (const { key, totalMinor } of plan.steps.filter(isPurchase)) {
    const summary = summaries.get(played.orders.get(key) ?? '')
    if (!summary) {
      differences.push(`${key}: the shop has no order of it.`)
      continue
    }
    summaries.delete(summary.id)
    const { amountMinor } = summary.total
    const isPaid = ['paid', 'partly_refunded', 'refunded'].includes(summary.paymentStatus)
    if (isPaid) shop.paid += amountMinor
    else differences.push(`${key}: its order is ${summary.status}, ${summary.paymentStatus}.`)
    if (amountMinor !== totalMinor)
      differences.push(`${key}: the order is over ${amountMinor} pence, the file ${totalMinor}.`)
    const expected = sum((returns.get(key) ?? []).map((each) => each.amountMinor))
    if (expected === 0 && !/refunded$/.test(summary.paymentStatus)) continue
    const token = await people.admin()
    const path = `/orders/${summary.id}`
    const { payment } = await client.ask<Order>({ method: 'GET', path, token })
    shop.refunded += payment.refunded.amountMinor
    if (payment.refunded.amountMinor !== expected)
      differences.push(
        `${key}: ${payment.refunded.amountMinor} pence were returned, by the file ${expected}.`,
      )
  }
  if (target.isOwn)
    for (const { id } of summaries.values()) differences.push(`Order ${id} is of no invoice.`)
  return { shop, differences }
}

/** Everybody's by id: all of an own shop, elsewhere the newest until all wanted ones are seen. */
async function listOrders(
  { client, people, target }: Pick<Books, 'client' | 'people' | 'target'>,
  wanted: ReadonlySet<string>,
) {
  const found = new Map<string, OrderPage['items'][number]>()
  let cursor: string | null = null
  let missing = wanted.size
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const path = `/orders?all=true&limit=${pageSize}${query}`
    const token = await people.admin()
    const page: OrderPage = await client.ask({ method: 'GET', path, token })
    for (const summary of page.items) {
      if (wanted.has(summary.id) && !found.has(summary.id)) missing -= 1
      found.set(summary.id, summary)
    }
    cursor = page.nextCursor
  } while (cursor !== null && (missing > 0 || target.isOwn))
  return found
}

/** Pieces before, less what was sold, with what came back: asked until it is so, for a while. */
async function compareStock({ plan, opening, goods }: Books): Promise<string[]> {
  const expected = new Map(opening.stock)
  const move = (sku: string, pieces: number) => expected.set(sku, (expected.get(sku) ?? 0) + pieces)
  for (const step of plan.steps) {
    const sign = step.kind === 'purchase' ? -1 : 1
    for (const { sku, quantity } of step.lines) move(sku, sign * quantity)
  }
  const endsAtMs = performance.now() + stockLimitMs
  let wrong = [...expected]
  for (;;) {
    const now = await goods.stock(wrong.map(([sku]) => sku))
    wrong = wrong.filter(([sku, pieces]) => now.get(sku) !== pieces)
    if (wrong.length === 0 || performance.now() > endsAtMs) {
      return wrong.map(
        ([sku, pieces]) => `${sku}: ${now.get(sku)} pieces on hand instead of ${pieces}.`,
      )
    }
    await delay(stockPauseMs)
  }
}

function isPurchase(step: Plan['steps'][number]): step is Purchase {
  return step.kind === 'purchase'
}

function isReturn(step: Plan['steps'][number]): step is Return {
  return step.kind === 'return'
}
