import { sql } from '@halles/kit/database'

const columns = `id, order_id, provider, capture_method, email, lines, amount_minor, currency,
  expires_at, session_id, redirect_url, intent_id, is_closed, phase, captured_minor, refunds,
  disputes, revision, settled_revision, receipt`

// The empty update makes a conflict return, and wait for, the row of whoever was first.
export const createPayment = sql(
  'payments.create',
  `insert into payments
     (id, order_id, provider, capture_method, email, lines, amount_minor, currency, expires_at)
   values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
   on conflict (order_id) do update set order_id = excluded.order_id
   returning ${columns}`,
)
export const openPayment = sql(
  'payments.open',
  `update payments set session_id = $2, redirect_url = $3, updated_at = now()
   where id = $1 returning ${columns}`,
)
// Without a session there is no address at which anybody could pay.
export const closePayment = sql(
  'payments.close',
  `insert into payments (id, order_id, is_closed, phase, revision)
   values ($1, $2, true, 'ended', 1)
   on conflict (order_id) do update set
     is_closed = true,
     updated_at = now(),
     revision = case when payments.session_id is null and payments.phase = 'open'
       then payments.revision + 1 else payments.revision end,
     phase = case when payments.session_id is null and payments.phase = 'open'
       then 'ended' else payments.phase end
   returning ${columns}`,
)
export const selectPayment = sql('payments.select', `select ${columns} from payments where id = $1`)
export const lockPayment = sql(
  'payments.lock',
  `select ${columns} from payments where id = $1 for update`,
)
export const selectByOrder = sql(
  'payments.select_by_order',
  `select ${columns} from payments where order_id = $1`,
)
export const selectByIntent = sql(
  'payments.select_by_intent',
  `select ${columns} from payments where intent_id = $1`,
)
export const selectByRefund = sql(
  'payments.select_by_refund',
  `select ${columns} from payments where refunds <> '[]' and refunds @> $1::jsonb`,
)
export const selectBySessions = sql(
  'payments.select_by_sessions',
  `select ${columns} from payments where session_id = any($1::text[])`,
)
// The revision is what tells whether somebody else has changed the row since it was read.
export const updatePayment = sql(
  'payments.update',
  `update payments set revision = $3, phase = $4, captured_minor = $5, refunds = $6, disputes = $7,
     intent_id = $8, receipt = $9, updated_at = now()
   where id = $1 and revision = $2`,
)
export const recordSettled = sql(
  'payments.record_settled',
  `update payments set settled_revision = $2 where id = $1 and settled_revision < $2`,
)
export const recordCompared = sql(
  'payments.record_compared',
  `update payments set compared_at = $2 where id = any($1::uuid[])`,
)
export const selectToCompare = sql(
  'payments.select_to_compare',
  `(select ${columns}, compared_at from payments
    where session_id is not null and created_at >= $1 and created_at < $2
      and (compared_at is null or compared_at < $3)
    order by created_at limit $4)
   union
   (select ${columns}, compared_at from payments
    where session_id is not null
      and (phase in ('open', 'processing', 'authorized') or settled_revision < revision
        or refunds @> '[{"phase": "pending"}]')
      and (compared_at is null or compared_at < $3)
    order by compared_at nulls first limit $4)
   order by compared_at nulls first limit $4`,
)
