import { type Database, sql } from '@halles/kit/database'
import { outboxInsert } from '@halles/kit/outbox'
import type { Actor } from '../domain/order.ts'
import type { Entry } from '../domain/timeline.ts'
import type { Due, OrderStore } from '../ports.ts'
import { listStatement } from './order-list.ts'
import { columns, type OrderRow, timelineInsert, toChanges, toOrder } from './order-rows.ts'
import { summarize } from './order-summary.ts'

const selectOrder = sql('orders.select_order', `select ${columns} from orders where id = $1`)
const lockOrder = sql('orders.lock_order', `select ${columns} from orders where id = $1 for update`)
const updateOrder = sql(
  'orders.update_order',
  `with changed as (
    update orders set version = $2, status = $3, payment_status = $4, payment_revision = $5,
      payment_phase = $6, captured_minor = $7, disputes = $8, fulfilments = $9, refunds = $10,
      refund_requested_at = $11, cancellation_requested_at = $12, cancellation_reason = $13
    where id = $1 returning id
  ), told as (${timelineInsert(14, 'changed')}), emitted as (${outboxInsert(15, 'changed')})
  select id from changed`,
)
// An order has a few entries; the limit is far above what its fulfilments and refunds can make.
const selectTimeline = sql(
  'orders.select_timeline',
  `select seq, at, actor as kind, subject_id as "subjectId", what, status, cause, details
   from order_timeline where order_id = $1 order by seq limit 2000`,
)
const selectExpired = sql(
  'orders.select_expired',
  `select id as "orderId" from orders
   where status = 'pending_payment' and payment_status = 'pending' and expires_at < $1
     and ($2::uuid is null or id > $2) and ($4::uuid is null or id = $4)
   order by id limit $3`,
)
// One whose money is on its way ends by itself: when the money comes, or when it fails.
const selectToCancel = sql(
  'orders.select_to_cancel',
  `select id as "orderId" from orders
   where cancellation_requested_at < $1 and status in ('pending_payment', 'paid')
     and payment_status <> 'processing' and ($2::uuid is null or id > $2) and ($4::uuid is null or id = $4)
   order by id limit $3`,
)
const selectToRefund = sql(
  'orders.select_to_refund',
  `select id as "orderId" from orders
   where refund_requested_at < $1 and ($2::uuid is null or id > $2)
     and ($4::uuid is null or id = $4) order by id limit $3`,
)

type EntryRow = Omit<Entry, 'actor'> & Actor

export function createOrderStore(database: Database): OrderStore {
  return {
    async find(orderId) {
      const row = await database.maybe<OrderRow>(selectOrder, [orderId])
      return row && toOrder(row)
    },
    async list(filter) {
      const { statement, values } = listStatement(filter)
      return (await database.query<OrderRow>(statement, values)).map(toOrder)
    },
    summarize: (time) => summarize(database, time),
    async timeline(orderId) {
      const rows = await database.query<EntryRow>(selectTimeline, [orderId])
      return rows.map(({ kind, subjectId, ...entry }) => ({
        ...entry,
        actor: { kind, subjectId },
      }))
    },
    update: (orderId, decide) =>
      database.transaction(async (tx) => {
        // The lock lets one decision at a time see the order: a webhook or a cancellation.
        const row = await tx.maybe<OrderRow>(lockOrder, [orderId])
        if (!row) return undefined
        const before = toOrder(row)
        const decision = decide(before)
        const { order, outcome } = decision
        if (order !== before) await tx.run(updateOrder, [order.id, ...toChanges(decision)])
        return { order, outcome }
      }),
    findExpired: (due) => database.query(selectExpired, valuesOf(due)),
    findToCancel: (due) => database.query(selectToCancel, valuesOf(due)),
    findToRefund: (due) => database.query(selectToRefund, valuesOf(due)),
  }
}

function valuesOf({ before, after, limit, orderId }: Due): unknown[] {
  return [before, after, limit, orderId]
}
