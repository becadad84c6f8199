import { type Database, sql } from '@halles/kit/database'
import { outboxInsert, toOutboxRows } from '@halles/kit/outbox'
import type { Refusal } from '../domain/checkout.ts'
import { paymentStatusOf } from '../domain/payment.ts'
import type { CheckoutState, CheckoutStore, OrderStore } from '../ports.ts'
import { timelineInsert, toEntryRows } from './order-rows.ts'

type ClaimRow = {
  isClaimed: boolean
  orderId: string
  fingerprint: string
  state: CheckoutState
  problem: Refusal | null
  startedAt: Date
}

// Three times as long as its holder takes to renew it. A crashed holder blocks its key for as long,
// which is less than the same key waits for its turn.
const defaultLeaseMs = 6_000

const claimCheckout = sql(
  'orders.claim_checkout',
  `with claimed as (
    insert into checkouts
      (order_id, lease_id, scope, idempotency_key, fingerprint, request, lease_until)
    values ($1, $2, $3, $4, $5, $6, clock_timestamp() + make_interval(secs => $7::float8 / 1000))
    on conflict (scope, idempotency_key) do update
      set lease_id = excluded.lease_id, lease_until = excluded.lease_until
      where checkouts.state = 'started' and checkouts.fingerprint = excluded.fingerprint
        and (checkouts.lease_until is null or checkouts.lease_until < clock_timestamp())
    returning order_id, fingerprint, state, problem, created_at
  )
  select true as "isClaimed", order_id as "orderId", fingerprint, state, problem,
    created_at as "startedAt" from claimed
  union all
  select false, order_id, fingerprint, state, problem, created_at from checkouts
  where scope = $3 and idempotency_key = $4 and not exists (select 1 from claimed)`,
)
const placeOrder = sql(
  'orders.place_order',
  `with placed as (
    update checkouts set state = 'placed', request = null, lease_id = null, lease_until = null
    where order_id = $1 and lease_id = $2 and state = 'started' returning order_id
  ), inserted as (
    insert into orders (id, version, status, cart_id, customer_id, email, shipping_address, lines,
      total_minor, shipping_minor, tax_included_minor, currency, payment_id, payment_method,
      payment_status, redirect_url, expires_at, placed_at)
    select $1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19
    from placed
    returning id
  ), told as (${timelineInsert(20, 'inserted')}), emitted as (${outboxInsert(21, 'inserted')})
  select id from inserted`,
)
const renewLease = sql(
  'orders.renew_lease',
  `update checkouts set lease_until = clock_timestamp() + make_interval(secs => $3::float8 / 1000)
   where order_id = $1 and lease_id = $2`,
)
// The lease stays while its holder undoes what it held; the sweeper looks when it has run out.
const refuseCheckout = sql(
  'orders.refuse_checkout',
  `update checkouts set state = 'refused', problem = $3, needs_compensation = $4, request = null
   where order_id = $1 and lease_id = $2 and state = 'started'`,
)
const recordCompensation = sql(
  'orders.record_compensation',
  `update checkouts set needs_compensation = false where order_id = $1 and state = 'refused'`,
)
const releaseCheckout = sql(
  'orders.release_checkout',
  `update checkouts set lease_id = null, lease_until = null
   where lease_id = $1 and order_id = any ($2::uuid[])`,
)
const claimStuck = sql(
  'orders.claim_stuck_checkouts',
  `update checkouts
   set lease_id = $1, lease_until = clock_timestamp() + make_interval(secs => $2::float8 / 1000)
   where order_id in (
     select order_id from checkouts
     where (needs_compensation or (state = 'started'
         and created_at < clock_timestamp() - make_interval(secs => $3::float8 / 1000)))
       and (lease_until is null or lease_until < clock_timestamp())
       and ($5::uuid is null or order_id = $5)
     order by created_at limit $4 for update skip locked
   )
   returning order_id as "orderId", state`,
)
// Ids are UUIDv7, so what began earlier has a smaller id.
const pruneCheckouts = sql(
  'orders.prune_checkouts',
  `delete from checkouts where order_id in (
     select order_id from checkouts
     where order_id < $1 and state <> 'started' and not needs_compensation
     order by order_id limit $2
   )`,
)
const selectState = sql('orders.checkout_state', 'select state from checkouts where order_id = $1')

export function createCheckoutStore(
  database: Database,
  { orders, leaseMs = defaultLeaseMs }: { orders: Pick<OrderStore, 'find'>; leaseMs?: number },
): CheckoutStore {
  return {
    async claim(checkout) {
      const { orderId, leaseId, scope, idempotencyKey, fingerprint, request } = checkout
      const values = [orderId, leaseId, scope, idempotencyKey, fingerprint, request, leaseMs]
      const row = await database.maybe<ClaimRow>(claimCheckout, values)
      // No row: a concurrent first claim was committed after this statement had begun.
      if (!row) return { kind: 'busy' }
      if (row.isClaimed) {
        return {
          kind: 'claimed',
          lease: { orderId: row.orderId, leaseId },
          startedAt: row.startedAt,
          isResumed: row.orderId !== orderId,
        }
      }
      if (row.fingerprint !== fingerprint) return { kind: 'reused' }
      if (row.problem) return { kind: 'refused', refusal: row.problem }
      const order = row.state === 'placed' ? await orders.find(row.orderId) : undefined
      return order ? { kind: 'placed', order } : { kind: 'busy' }
    },
    async renew({ orderId, leaseId }) {
      return (await database.run(renewLease, [orderId, leaseId, leaseMs])) === 1
    },
    async place({ orderId, leaseId }, { order, entries, messages }) {
      const { totals, payment } = order
      const row = await database.maybe(placeOrder, [
        orderId,
        leaseId,
        order.version,
        order.status,
        order.cartId,
        order.customerId,
        order.email,
        order.shippingAddress,
        JSON.stringify(order.lines),
        totals.total.amountMinor,
        totals.shipping.amountMinor,
        totals.taxIncluded.amountMinor,
        totals.total.currency,
        payment.id,
        payment.method,
        paymentStatusOf(order),
        payment.redirectUrl,
        payment.expiresAt,
        order.placedAt,
        toEntryRows(entries),
        toOutboxRows(messages),
      ])
      return row !== undefined
    },
    async refuse({ orderId, leaseId }, refusal, needsCompensation) {
      const values = [orderId, leaseId, refusal, needsCompensation]
      return (await database.run(refuseCheckout, values)) === 1
    },
    async recordCompensation(orderId) {
      await database.run(recordCompensation, [orderId])
    },
    async release(leaseId, orderIds) {
      await database.run(releaseCheckout, [leaseId, orderIds])
    },
    claimStuck: ({ leaseId, olderThanMs, limit, orderId = null }) =>
      database.query(claimStuck, [leaseId, leaseMs, olderThanMs, limit, orderId]),
    prune: (before, limit) => database.run(pruneCheckouts, [firstIdOf(before), limit]),
    async stateOf(orderId) {
      return (await database.maybe<{ state: CheckoutState }>(selectState, [orderId]))?.state
    },
  }
}

/** The smallest UUIDv7 of that millisecond. */
function firstIdOf(at: Date): string {
  const time = at.getTime().toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`
}
