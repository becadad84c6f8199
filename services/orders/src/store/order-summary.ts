import { type Database, sql } from '@halles/kit/database'
import type { OrderSummary } from '../ports.ts'

const placed = 'placed_at >= $1 and placed_at < $2'
// Only of orders that have some; most have none.
const refundsOf = `from orders cross join lateral
    jsonb_to_recordset(refunds) as refund (status text, "amountMinor" bigint)
  where ${placed} and refunds <> '[]'`

const selectDays = sql(
  'orders.summarize_days',
  `with sold as (
    select (placed_at at time zone 'UTC')::date as day, currency, count(*) as orders,
      sum(captured_minor) as revenue
    from orders where ${placed} group by 1, 2
  ), returned as (
    select (placed_at at time zone 'UTC')::date as day, currency,
      sum(refund."amountMinor") filter (where refund.status = 'succeeded') as refunded
    ${refundsOf} group by 1, 2
  )
  select to_char(day, 'YYYY-MM-DD') as date, currency, orders, revenue::bigint as "revenueMinor",
    coalesce(refunded, 0)::bigint as "refundedMinor"
  from sold left join returned using (day, currency) order by day, currency`,
)
const selectStatuses = sql(
  'orders.summarize_statuses',
  `select status, count(*) as orders from orders where ${placed} group by status order by status`,
)
const selectRefunds = sql(
  'orders.summarize_refunds',
  `select refund.status, count(*) as refunds ${refundsOf} group by 1 order by 1`,
)
const countUnpaid = sql(
  'orders.count_unpaid',
  `select count(*) as unpaid from orders where status = 'pending_payment' and placed_at < $1`,
)

/** What a dashboard shows, from the index of the time alone. */
export async function summarize(
  database: Database,
  { from, to, unpaidBefore }: { from: Date; to: Date; unpaidBefore: Date },
): Promise<OrderSummary> {
  const time = [from, to]
  // One after another: a dashboard can wait, and takes one connection.
  const days = await database.query<OrderSummary['days'][number]>(selectDays, time)
  const statuses = await database.query<OrderSummary['statuses'][number]>(selectStatuses, time)
  const refunds = await database.query<OrderSummary['refunds'][number]>(selectRefunds, time)
  const unpaid = await database.maybe<{ unpaid: number }>(countUnpaid, [unpaidBefore])
  return { days, statuses, refunds, unpaid: unpaid?.unpaid ?? 0 }
}
