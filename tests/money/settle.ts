import { sql } from '@halles/kit/database'
import type { Order } from '../../services/orders/src/domain/order.ts'
import { recordRefundSent } from '../../services/payments/src/use-cases/refund-payment.ts'
import {
  checkMoney,
  checkOrder,
  checkRefused,
  checkTimeline,
  isReported,
  sumOf,
} from './agreement.ts'
import { jobs as allJobs, type jobs } from './history.ts'
import { checkSold, truthOf, truthOfTransfer } from './invariants.ts'
import { relay, runJob, tell } from './machines.ts'
import { answered } from './people.ts'
import { holdStep, type Played } from './play.ts'
import type { Shop } from './shop.ts'

const selectCheckouts = sql(
  'money.checkouts',
  'select order_id as "orderId", state from checkouts where scope = any ($1::text[])',
)

const minutes = 60_000
// A bank may send money back five times before a person is asked.
const maxRounds = 8

/** Everybody does what is left to do, and time goes on until nothing is. */
export async function settleShop(shop: Shop, lines: string[]): Promise<Played> {
  const { provider, clock } = shop
  provider.faults.clear()
  await calm(shop, lines, ['reconciliation'])
  // The lease of a dead process ends, and the sweepers come.
  await clock.advance(2 * minutes)
  await calm(shop, lines, allJobs)
  // Who has not paid by now never will.
  await clock.advance(50 * minutes)
  await calm(shop, lines, ['expiry', 'cancellations', 'refunds', 'reservations'])
  endDisputes(shop)
  // Nor by bank transfer; and what was held and not captured is let go.
  await clock.advance(15 * 1_440 * minutes)
  await calm(shop, lines, allJobs)
  const left = provider.waiting().map(({ type }) => type)
  if (left.length > 0) {
    throw new Error(`Webhooks are never accepted: ${left.join(', ')}\n${lines.join('\n')}`)
  }
  return holdEnd(shop, lines)
}

/** Banks decide on everything in the end: half of it for the shop. */
function endDisputes({ provider }: Shop): void {
  const open = provider
    .books()
    .flatMap(({ disputes }) => disputes)
    .filter(({ status }) => status !== 'won' && status !== 'lost')
  for (const [index, { id, amount }] of open.entries()) {
    provider.act((desk) => desk.endDispute(id, (index + amount) % 2 === 0 ? 'won' : 'lost'))
  }
}

async function calm(
  shop: Shop,
  lines: string[],
  names: readonly (typeof jobs)[number][],
): Promise<void> {
  const { provider, clock, schedule } = shop
  for (let round = 0; round < maxRounds; round += 1) {
    await clock.advance(1_500)
    provider.expireDue()
    provider.runTasks(['debit', 'refund', 'dispute', 'verdict'])
    provider.runTasks(['authorization_end'], clock.now())
    const works = async () => {
      for (const event of provider.waiting()) lines.push(`  ${await tell(shop, event)}`)
      for (const job of names) lines.push(`  ${job} → ${await runJob(shop, job)}`)
      await sendRefunds(shop)
      await relay(shop, { do: 'relay', copies: 1 })
    }
    const [result] = await schedule.run([works], { choose: () => 0, fault: null })
    if (result?.status === 'rejected') throw result.reason
    lines.push(...schedule.takeTrace().map((line) => `      ${line}`))
    await holdStep(shop, lines)
    if (provider.waiting().length === 0) return
  }
}

/** Staff send what is to be returned by bank transfer. */
async function sendRefunds(shop: Shop): Promise<void> {
  const { payments } = shop.deps
  for (const orderId of await orderIds(shop)) {
    const payment = await shop.services.stores.payments.findByOrder(orderId.orderId)
    if (payment?.provider !== 'bank-transfer') continue
    for (const { id, phase } of payment.state.refunds) {
      if (id === null || phase !== 'pending') continue
      const sent = { refundId: id, subjectId: shop.staffId }
      await answered(async () => {
        await shop.schedule.call('payments', 'recordRefundSent', () =>
          recordRefundSent(payments, sent),
        )
        return 'sent'
      })
    }
  }
}

function orderIds(shop: Shop): Promise<{ orderId: string; state: string }[]> {
  const scopes = shop.checkouts.map(({ cartId }) => `cart:${cartId}`)
  return shop.databases.orders.database.query(selectCheckouts, [scopes])
}

/** What must be true when all is settled. */
async function holdEnd(shop: Shop, lines: readonly string[]): Promise<Played> {
  const { stores } = shop.services
  const books = shop.provider.books()
  const faults: string[] = []
  const orders: Order[] = []
  const played: Played = { orders: 0, paid: 0, capturedMinor: 0, refundedMinor: 0 }
  const checkouts = await orderIds(shop)
  const findings = await stores.findings.list({ after: null, limit: 100 })
  const known = new Set(checkouts.map(({ orderId }) => orderId))
  for (const { session } of books) {
    if (!known.has(session.client_reference_id ?? ''))
      faults.push(`The session ${session.id} is nobody's.`)
  }
  for (const { orderId, state } of checkouts) {
    const order = await stores.orders.find(orderId)
    const payment = await stores.payments.findByOrder(orderId)
    const own = books.filter(({ session }) => session.client_reference_id === orderId)
    const truth = payment?.provider === 'bank-transfer' ? truthOfTransfer(payment) : truthOf(own)
    const isGivenUp = payment !== undefined && isReported(findings, truth, payment)
    const told = [
      ...checkMoney(truth, { order, payment, isGivenUp }),
      ...(order ? checkOrder(order, truth, isGivenUp) : checkRefused(truth, state, isGivenUp)),
      ...(order ? checkTimeline(order, await stores.orders.timeline(orderId)) : []),
    ]
    faults.push(...told.map((fault) => `${fault} (${orderId}, ${order?.status ?? state})`))
    if (!order) continue
    orders.push(order)
    played.orders += 1
    played.capturedMinor += order.payment.capturedMinor
    played.refundedMinor += sumOf(order.refunds.filter(({ status }) => status === 'succeeded'))
    if (order.payment.capturedMinor > 0) played.paid += 1
  }
  const [unfinished] = await stores.unfinished.list(new Date(shop.clock.now()), 1)
  if (unfinished) faults.push(`A ${unfinished.kind} of ${unfinished.orderId} never ends.`)
  faults.push(...(await checkSold(shop, orders)))
  if (faults.length === 0) return played
  throw new Error(`${faults.join('\n')}\n${lines.join('\n')}`)
}
