import { sql } from '@halles/kit/database'
import type { Order } from '../../services/orders/src/domain/order.ts'
import type { Payment } from '../../services/payments/src/domain/payment.ts'
import type { State } from '../../services/payments/src/domain/state.ts'
import type { Books } from './provider.ts'
import type { Shop } from './shop.ts'

type Seen = {
  id: string
  object: string
  status?: string
  amount?: number
  amount_received?: number
  amount_total?: number
  payment_status?: string
  payment_intent?: string | null
}

/** Each webhook that was answered with 2xx is in the state of its payment and of its order. */
export async function checkAccepted(shop: Shop): Promise<string[]> {
  const accepted = shop.accepted.splice(0)
  if (accepted.length === 0) return []
  const books = shop.provider.books()
  const faults: string[] = []
  for (const { event, outcome } of accepted) {
    const seen = (JSON.parse(event.body) as { data: { object: Seen } }).data.object
    const own = books.find(({ session, intent }) =>
      [session.id, intent?.id].includes(
        seen.object === 'checkout.session' || seen.object === 'payment_intent'
          ? seen.id
          : (seen.payment_intent ?? ''),
      ),
    )
    const orderId = own?.session.client_reference_id
    if (!own || !orderId) continue
    const payment = await shop.services.stores.payments.findByOrder(orderId)
    // What was paid nowhere, because nobody was given the address of the page.
    if (payment?.session?.id !== own.session.id) continue
    const said = `The ${event.type} of ${orderId} was answered ${outcome}, but`
    if (outcome === 'ignored') {
      faults.push(`${said} it is about a payment of ours.`)
      continue
    }
    const order = await shop.services.stores.orders.find(orderId)
    const views = [
      { who: 'payments', state: payment.state },
      ...(order ? [{ who: 'orders', state: stateOf(order) }] : []),
    ]
    for (const { who, state } of views) {
      const missing = missingOf(seen, event.type, state)
      if (missing) faults.push(`${said} ${who} does not know ${missing}.`)
    }
  }
  return faults
}

type Known = {
  phase: State['phase']
  capturedMinor: number
  /** By the provider's name in payments, by amounts in orders. */
  refunds: readonly { providerId?: string | null; amountMinor: number; phase: string }[]
  disputes: readonly { id: string; amountMinor: number; phase: string }[]
}

export function stateOf({ payment, refunds }: Order): Known {
  return {
    phase: payment.phase,
    capturedMinor: payment.capturedMinor,
    refunds: refunds.map(({ amountMinor, status }) => ({ amountMinor, phase: status })),
    disputes: payment.disputes,
  }
}

const ranks = ['open', 'processing', 'authorized', 'ended', 'captured']
const atLeast = (known: string, told: string) => ranks.indexOf(known) >= ranks.indexOf(told)
const refundRanks = ['requested', 'pending', 'succeeded', 'failed']

/** What of the event is not known; undefined when all is. */
function missingOf(seen: Seen, type: string, known: Known): string | undefined {
  if (seen.object === 'checkout.session' || seen.object === 'payment_intent') {
    const taken =
      seen.amount_received ?? (seen.payment_status === 'paid' ? seen.amount_total : 0) ?? 0
    if (taken > known.capturedMinor) return `that ${taken} were taken`
    const isOver =
      type.endsWith('expired') || type.endsWith('canceled') || type.endsWith('async_payment_failed')
    if (isOver && !atLeast(known.phase, 'ended')) return 'that it has ended'
    if (seen.status === 'requires_capture' && !atLeast(known.phase, 'authorized'))
      return 'what is held'
    if (seen.status === 'processing' && !atLeast(known.phase, 'processing'))
      return 'that it takes days'
    return undefined
  }
  if (seen.object === 'refund' && known.capturedMinor > 0) {
    const told = seen.status === 'canceled' ? 'failed' : (seen.status ?? 'pending')
    const isKnown = known.refunds.some(
      ({ providerId, amountMinor, phase }) =>
        (providerId === undefined || providerId === seen.id) &&
        amountMinor === seen.amount &&
        refundRanks.indexOf(phase) >= refundRanks.indexOf(told),
    )
    return isKnown ? undefined : `the refund ${seen.id} that has ${told}`
  }
  if (seen.object === 'dispute' && !seen.status?.startsWith('warning')) {
    const dispute = known.disputes.find(({ id }) => id === seen.id)
    const isEnd = seen.status === 'won' || seen.status === 'lost'
    if (!dispute) return `the dispute ${seen.id}`
    return isEnd && dispute.phase === 'open'
      ? `that the dispute ${seen.id} is ${seen.status}`
      : undefined
  }
  return undefined
}

const selectStock = sql(
  'money.stock',
  'select id, on_hand as "onHand", reserved, price_minor as "priceMinor" from variants where id = any ($1::uuid[])',
)
const selectReservations = sql(
  'money.reservations',
  `select r.id, r.status, l.variant_id as "variantId", l.quantity, l.taken, l.returned
   from reservations r join reservation_lines l on l.reservation_id = r.id
   where l.variant_id = any ($1::uuid[])`,
)
type StockRow = { id: string; onHand: number; reserved: number; priceMinor: number }
type ReservationRow = {
  id: string
  status: 'held' | 'released' | 'sold'
  variantId: string
  quantity: number
  taken: number
  returned: number
}

const idsOf = ({ variants }: Shop) => variants.map(({ id }) => id)

/** Stock is never below zero; from here on the prices are those of the shop. */
export async function checkStock(shop: Shop): Promise<string[]> {
  const { database } = shop.databases.products
  const rows = await database.query<StockRow>(selectStock, [idsOf(shop)])
  for (const variant of shop.variants) {
    variant.priceMinor = rows.find(({ id }) => id === variant.id)?.priceMinor ?? 0
    variant.asked = []
  }
  return rows
    .filter(({ onHand, reserved }) => onHand < 0 || reserved < 0 || reserved > onHand)
    .map(({ id, onHand, reserved }) => `Of ${id} there are ${onHand} and ${reserved} are reserved.`)
}

/** Stock at the end: what was there at first, less what was sold, and what came back. */
export async function checkSold(shop: Shop, orders: readonly Order[]): Promise<string[]> {
  const { database } = shop.databases.products
  const [rows, lines] = await Promise.all([
    database.query<StockRow>(selectStock, [idsOf(shop)]),
    database.query<ReservationRow>(selectReservations, [idsOf(shop)]),
  ])
  const byOrder = new Map(orders.map((order) => [order.id, order]))
  const faults: string[] = []
  let missing = 0
  for (const line of lines) {
    const order = byOrder.get(line.id)
    const isSold = order !== undefined && order.status !== 'cancelled'
    const about = `The order ${line.id} is ${order?.status ?? 'none'} and its reservation ${line.status}`
    if (isSold !== (line.status === 'sold')) faults.push(`${about}.`)
    if (!isSold || line.status !== 'sold') continue
    missing += line.quantity - line.taken
    const back = (order?.refunds ?? [])
      .flatMap(({ restocked }) => restocked)
      .filter(({ variantId }) => variantId === line.variantId)
      .reduce((sum, { quantity }) => sum + quantity, 0)
    if (line.returned !== Math.min(back, line.taken)) {
      faults.push(`${about}: ${back} pieces went back, ${line.returned} came back.`)
    }
  }
  const counted = shop.deps.shortfall.pieces
  // Pieces that were missing from an order that was cancelled later are not missing any more.
  const hasCancelled = orders.some(({ status }) => status === 'cancelled')
  if (missing > counted || (missing < counted && !hasCancelled)) {
    faults.push(`${missing} pieces are missing, ${counted} were counted.`)
  }
  for (const { id, onHand, reserved } of rows) {
    const { initial } = shop.variants.find((variant) => variant.id === id) ?? { initial: 0 }
    const gone = lines
      .filter(({ variantId, status }) => variantId === id && status === 'sold')
      .reduce((sum, { taken, returned }) => sum + taken - returned, 0)
    if (reserved !== 0) faults.push(`${reserved} of ${id} are still reserved.`)
    if (onHand !== initial - gone) {
      faults.push(`Of ${initial} of ${id}, ${gone} were sold, but ${onHand} are there.`)
    }
  }
  return faults
}

/** What the provider knows of an order's money: all of its sessions together. */
export function truthOf(books: readonly Books[]) {
  const captured = (each: Books) => each.intent?.amount_received ?? 0
  // What was held and not taken shows as a refund of its own, made by the capture: the first one.
  const releases = books.flatMap(({ charges, refunds: all }) =>
    charges
      .filter((charge) => charge.captured && charge.amount > charge.amount_captured)
      .map((charge) => all.find((refund) => refund.charge === charge.id)?.id),
  )
  const refunds = books
    .filter((each) => captured(each) > 0)
    .flatMap((each) => each.refunds)
    .filter(({ id }) => !releases.includes(id))
  const disputes = books
    .flatMap((each) => each.disputes)
    .filter(({ status }) => !status.startsWith('warning'))
  return {
    charges: books.flatMap(({ charges }) => charges.filter((charge) => charge.captured)).length,
    capturedMinor: books.reduce((sum, each) => sum + captured(each), 0),
    isHeld: books.some(({ intent }) => intent?.status === 'requires_capture'),
    refunds: refunds.map(({ id, amount, status }) => ({
      providerId: id,
      amountMinor: amount,
      phase: status === 'canceled' ? 'failed' : (status ?? 'pending'),
    })),
    disputes: disputes.map(({ id, amount, status }) => ({
      id,
      amountMinor: amount,
      phase: status === 'won' || status === 'lost' ? status : 'open',
    })),
  }
}

export type Truth = ReturnType<typeof truthOf>

export function truthOfTransfer({ state }: Payment): Truth {
  const { capturedMinor, refunds } = state
  return {
    charges: capturedMinor > 0 ? 1 : 0,
    capturedMinor,
    isHeld: false,
    refunds: refunds.map(({ providerId, amountMinor, phase }) => ({
      providerId: providerId ?? '',
      amountMinor,
      phase,
    })),
    disputes: [],
  }
}
