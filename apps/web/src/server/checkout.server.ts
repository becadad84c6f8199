import { randomUUID } from 'node:crypto'
import type { Cart } from '@halles/contracts/gen/http/carts'
import type { Money, Order, Totals } from '@halles/contracts/gen/http/orders'
import { forgetCart } from './cart.server.ts'
import type { CheckoutDraft, PlacedCheckout } from './checkout-draft.ts'
import { keepOrderToken } from './orders.server.ts'
import { type Page, problemOf } from './page.server.ts'

export type ChangedPrice = { variantId: string; title: string; was: Money; now: Money }
export type Shortage = { variantId: string; title: string; asked: number; left: number }

/** Why nothing was bought, by line where the API says so. */
export type Refused = {
  code: string
  /** What it costs now, where that differs from what was shown. */
  totals?: Totals
  shown?: Money
  changed: ChangedPrice[]
  short: Shortage[]
}

/** What the form showed of each variant, in the smallest unit. */
export type ShownPrices = ReadonlyMap<string, number>

/** Keeps what the checkout was told. What was refused or changed is bought under a key of its own. */
export async function keepDraft(page: Page, draft: Omit<CheckoutDraft, 'key'>): Promise<void> {
  await page.visit.keep(({ secrets }) => ({
    secrets: { ...secrets, checkout: { ...draft, key: randomUUID() } },
  }))
}

export function draftOf(page: Page): CheckoutDraft | undefined {
  return page.visit.session?.secrets.checkout
}

/** What the cart costs at the draft's address. */
export async function quote(page: Page, cart: Cart, draft: CheckoutDraft): Promise<Totals> {
  const body = { cartId: cart.id, country: draft.address.country }
  return (await page.call('quoteOrder', { body })).data
}

/** Where this form led already, when it was sent before. */
export function placedBefore(page: Page, key: string): PlacedCheckout | undefined {
  const placed = page.visit.session?.secrets.placed
  return placed?.key === key ? placed : undefined
}

/** Buys what the form showed at the total that it showed, or says by line why not. */
export async function buy(
  page: Page,
  sent: { cart: Cart; draft: CheckoutDraft; key: string; total: Money; shown: ShownPrices },
): Promise<PlacedCheckout | Refused> {
  const { cart, draft, key, total, shown } = sent
  const { email, address: shippingAddress, method: paymentMethod } = draft
  try {
    const { data: order } = await page.call('placeOrder', {
      headers: { 'idempotency-key': key },
      body: {
        ...{ cartId: cart.id, shippingAddress, expectedTotal: total, paymentMethod },
        ...(email === '' ? {} : { email }),
      },
    })
    return await keepPlaced(page, { key, order, cart })
  } catch (error) {
    return refused(page, error, { cart, draft, total, shown })
  }
}

async function keepPlaced(
  page: Page,
  { key, order, cart }: { key: string; order: Order; cart: Cart },
): Promise<PlacedCheckout> {
  const { id: orderId, accessToken } = order
  const placed = { key, orderId, redirectUrl: order.payment.redirectUrl }
  await page.visit.keep(({ secrets }) => ({
    secrets: {
      ...secrets,
      placed,
      orderTokens: keepOrderToken(secrets.orderTokens, orderId, accessToken),
    },
  }))
  await forgetCart(page, cart)
  return placed
}

async function refused(
  page: Page,
  error: unknown,
  sent: { cart: Cart; draft: CheckoutDraft; total: Money; shown: ShownPrices },
): Promise<Refused> {
  const { cart, draft, total, shown } = sent
  const problem = problemOf(error)
  if (!problem) throw error
  const { status, code } = problem
  // What may have been bought after all keeps its key: sent again, it is bought once.
  if (status >= 500 || status === 429 || code === 'CHECKOUT_IN_PROGRESS') {
    return { code: status >= 500 ? 'unavailable' : code, changed: [], short: [] }
  }
  // A refusal is final for its key.
  await keepDraft(page, draft)
  const lines = Array.isArray(problem.lines) ? problem.lines : []
  if (code === 'PRICE_CHANGED') {
    const totals = problem.totals as Totals
    return { code, totals, shown: total, changed: changesIn(shown, lines), short: [] }
  }
  return { code, changed: [], short: code === 'OUT_OF_STOCK' ? shortagesIn(cart, lines) : [] }
}

type ProblemLine = {
  variantId: string
  title: string
  unitPrice: Money
  requested: number
  available: number
}

function changesIn(shown: ShownPrices, lines: readonly ProblemLine[]): ChangedPrice[] {
  return lines.flatMap(({ variantId, title, unitPrice: now }) => {
    const amountMinor = shown.get(variantId)
    const isSame = amountMinor === undefined || amountMinor === now.amountMinor
    return isSame ? [] : [{ variantId, title, was: { ...now, amountMinor }, now }]
  })
}

function shortagesIn(cart: Cart, lines: readonly ProblemLine[]): Shortage[] {
  const titles = new Map(cart.lines.map(({ variantId, title }) => [variantId, title]))
  return lines.map(({ variantId, requested: asked, available: left }) => ({
    ...{ variantId, asked, left },
    title: titles.get(variantId) ?? '',
  }))
}
