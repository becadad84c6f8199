import { sql } from '@halles/kit/database'
import type { Message } from '@halles/kit/messaging'
import {
  expireOrders,
  finishCancellations,
} from '../../services/orders/src/use-cases/cancel-order.ts'
import { finishRefunds } from '../../services/orders/src/use-cases/refund-order.ts'
import { sweepCheckouts } from '../../services/orders/src/use-cases/sweep-checkouts.ts'
import { receiveEvent } from '../../services/payments/src/use-cases/receive-event.ts'
import { type Progress, reconcile } from '../../services/payments/src/use-cases/reconcile.ts'
import { releaseExpired } from '../../services/products/src/use-cases/reservations.ts'
import type { Command, jobs } from './history.ts'
import { answered, orderOf, sessionOf } from './people.ts'
import type { ProviderEvent } from './provider.ts'
import { nthOf, type Shop } from './shop.ts'

type Of<Name extends Command['do']> = Extract<Command, { do: Name }>

const readOutbox = sql('money.read_outbox', 'select id, message from outbox order by id limit 200')
const forgetOutbox = sql('money.forget_outbox', 'delete from outbox where id = $1')

/** The provider tells of an event; told again until it is accepted. */
export async function tell(shop: Shop, event: ProviderEvent): Promise<string> {
  const rawBody = Buffer.from(event.body)
  const { provider, schedule, deps } = shop
  const outcome = await answered(() =>
    schedule.call('payments', `receiveEvent ${event.type}`, () =>
      receiveEvent(deps.payments, { rawBody, signature: provider.sign(event.body) }),
    ),
  )
  if (outcome === 'applied' || outcome === 'duplicate' || outcome === 'ignored') {
    provider.mark(event.id, 'delivered')
    shop.accepted.push({ event, outcome })
  } else if (!retriable.has(outcome)) {
    shop.faults.push(`The genuine ${event.type} was refused: ${outcome}.`)
  }
  return `${event.type}: ${outcome}`
}

const retriable: ReadonlySet<string> = new Set([
  'ORDERS_UNAVAILABLE',
  'PROVIDER_UNAVAILABLE',
  'CONNECTION_LOST',
  'UNREACHABLE',
])

export async function webhook(shop: Shop, { which }: Of<'webhook'>) {
  const event = nthOf(shop.provider.waiting(), which)
  return event ? tell(shop, event) : 'nothing'
}

export async function webhookAgain(shop: Shop, { which }: Of<'webhook again'>) {
  const event = nthOf(shop.provider.delivered(), which)
  return event ? tell(shop, event) : 'nothing'
}

/** The provider gives up: only who asks for it will hear of it. */
export async function loseWebhook(shop: Shop, { which }: Of<'lose webhook'>) {
  const event = nthOf(shop.provider.waiting(), which)
  if (event) shop.provider.mark(event.id, 'failed')
  return event?.type ?? 'nothing'
}

export async function dashboard(shop: Shop, { order: nth, act }: Of<'dashboard'>) {
  const order = await orderOf(shop, nth)
  const sessionId = order && sessionOf(order)
  const books = shop.provider.books().find(({ session }) => session.id === sessionId)
  if (!books) return 'nothing'
  const { session, intent, refunds, disputes } = books
  const half = Math.ceil((intent?.amount ?? 2) / 2)
  return shop.schedule.step(`dashboard ${act}`, async () => {
    const isDone = shop.provider.act((desk) => {
      if (act === 'expire') return desk.expire(session.id)
      const id = intent?.id ?? ''
      if (act === 'refund') return desk.refund(id, undefined, 'succeeded')
      if (act === 'refund a part') return desk.refund(id, half, 'succeeded')
      if (act === 'refund that fails') return desk.refund(id, half, 'fail')
      if (act === 'refund that waits') return desk.refund(id, half, 'pending')
      if (act === 'fail a refund') return desk.endRefund(refunds.at(-1)?.id ?? '', 'failed')
      if (act === 'capture') return desk.capture(id, undefined)
      if (act === 'capture a part') return desk.capture(id, half)
      if (act === 'cancel') return desk.cancel(id)
      if (act === 'dispute') return desk.dispute(id, false, undefined)
      if (act === 'dispute a part') return desk.dispute(id, false, half)
      if (act === 'inquiry') return desk.dispute(id, true, undefined)
      return desk.endDispute(disputes.at(-1)?.id ?? '', act === 'win' ? 'won' : 'lost')
    })
    return isDone ? 'done' : 'not possible'
  })
}

export async function relay(shop: Shop, { copies }: Of<'relay'>) {
  const { database } = shop.databases.orders
  const rows = await shop.schedule.step('read outbox', () =>
    database.query<{ id: number; message: Message }>(readOutbox),
  )
  for (const { id, message } of rows) {
    for (let copy = 0; copy < copies; copy += 1) {
      const delivery = { message, attempt: copy + 1, signal: new AbortController().signal }
      const outcome = await answered(async () => {
        await shop.schedule.call('products', `consume ${message.type}`, () =>
          shop.deps.consume(delivery),
        )
        return 'consumed'
      })
      if (outcome !== 'consumed') return outcome
    }
    await shop.schedule.step('forget', () => database.run(forgetOutbox, [id]))
  }
  return `${rows.length}`
}

// The times of the services' own jobs.
const unfinishedMs = 60_000
const expiryMarginMs = 600_000
const reconcileBackMs = 2 * 3_600_000

export async function runJob(shop: Shop, job: (typeof jobs)[number]): Promise<string> {
  const { schedule, clock, deps } = shop
  const before = (ms: number) => new Date(clock.now() - ms)
  const { orders, payments, products } = deps
  return answered(async () => {
    if (job === 'reservations') {
      await schedule.call('products', job, () => releaseExpired(products))
    } else if (job === 'reconciliation') {
      await schedule.call('payments', job, () => reconcileAll(shop, payments))
    } else {
      const work = {
        sweeper: () => sweepCheckouts(orders, unfinishedMs),
        expiry: () => expireOrders(orders, before(expiryMarginMs)),
        cancellations: () => finishCancellations(orders, before(unfinishedMs)),
        refunds: () => finishRefunds(orders, before(unfinishedMs)),
      }
      await schedule.call('orders', job, work[job])
    }
    return 'done'
  })
}

async function reconcileAll({ clock }: Shop, payments: Shop['deps']['payments']): Promise<number> {
  const to = new Date(clock.now())
  const window = { from: new Date(clock.now() - reconcileBackMs), to }
  let progress: Progress | null = null
  let repaired = 0
  do {
    const report = await reconcile(payments, {
      window,
      progress,
      budgetMs: 10_000,
      isForced: false,
    })
    progress = report.next
    repaired += report.repaired
  } while (progress)
  return repaired
}
