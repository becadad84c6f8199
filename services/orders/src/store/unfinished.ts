import { type Database, sql } from '@halles/kit/database'
import type { Unfinished, UnfinishedKind, UnfinishedStore } from '../ports.ts'

// Each part reads a partial index that holds only what is under way.
const unfinished = `
  select case when state = 'started' then 'checkout' else 'compensation' end as kind,
    order_id as "orderId", created_at as since
  from checkouts where (state = 'started' or needs_compensation) and created_at < $1
  union all
  select 'cancellation', id, cancellation_requested_at from orders
  where cancellation_requested_at < $1 and status in ('pending_payment', 'paid')
    and payment_status <> 'processing'
  union all
  select 'refund', id, refund_requested_at from orders where refund_requested_at < $1`
const listUnfinished = sql(
  'orders.list_unfinished',
  `select * from (${unfinished}) as work order by since limit $2`,
)
const selectUnfinished = sql(
  'orders.select_unfinished',
  `select 1 from (${unfinished}) as work where "orderId" = $2 limit 1`,
)
const countUnfinished = sql(
  'orders.count_unfinished',
  `select kind, count(*) as count from (${unfinished}) as work group by kind`,
)

export function createUnfinishedStore(database: Database): UnfinishedStore {
  return {
    list: (before, limit) => database.query<Unfinished>(listUnfinished, [before, limit]),
    has: async (orderId, before) =>
      (await database.maybe(selectUnfinished, [before, orderId])) !== undefined,
    count: (before) =>
      database.query<{ kind: UnfinishedKind; count: number }>(countUnfinished, [before]),
  }
}
