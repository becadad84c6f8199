import { type Database, sql } from '@halles/kit/database'
import { outboxInsert, toOutboxRows } from '@halles/kit/outbox'
import type { Order } from '../domain/order.ts'
import type { OrderStore } from '../ports.ts'

export type OrderRow = {
  id: string
  version: number
  status: Order['status']
  cart_id: string
  customer_id: string | null
  email: string | null
  shipping_address: Order['shippingAddress']
  lines: Order['lines']
  total_minor: number
  currency: string
  payment_id: string
  payment_status: Order['payment']['status']
  redirect_url: string
  expires_at: Date
  placed_at: Date
  cancellation_requested_at: Date | null
  cancellation_reason: string | null
}

const columns = `id, version, status, cart_id, customer_id, email, shipping_address, lines,
  total_minor, currency, payment_id, payment_status, redirect_url, expires_at, placed_at,
  cancellation_requested_at, cancellation_reason`

const selectOrder = sql('orders.select_order', `select ${columns} from orders where id = $1`)
const lockOrder = sql('orders.lock_order', `select ${columns} from orders where id = $1 for update`)
const updateOrder = sql(
  'orders.update_order',
  `with changed as (
    update orders set version = $2, status = $3, payment_status = $4,
      cancellation_requested_at = $5, cancellation_reason = $6
    where id = $1 returning id
  ), emitted as (${outboxInsert(7, 'changed')})
  select id from changed`,
)
const listAll = sql(
  'orders.list_all',
  `select ${columns} from orders where ($1::uuid is null or id < $1) order by id desc limit $2`,
)
const listByStatus = sql(
  'orders.list_by_status',
  `select ${columns} from orders
   where status = $3 and ($1::uuid is null or id < $1) order by id desc limit $2`,
)
const listOfCustomer = sql(
  'orders.list_of_customer',
  `select ${columns} from orders
   where customer_id = $3 and ($4::text is null or status = $4) and ($1::uuid is null or id < $1)
   order by id desc limit $2`,
)
const selectExpired = sql(
  'orders.select_expired',
  `select id as "orderId" from orders where status = 'pending_payment' and expires_at < $1
   order by expires_at limit $2`,
)
const selectToCancel = sql(
  'orders.select_to_cancel',
  `select id as "orderId" from orders
   where cancellation_requested_at < $1 and status in ('pending_payment', 'paid')
   order by cancellation_requested_at limit $2`,
)

export function createOrderStore(database: Database): OrderStore {
  return {
    async find(orderId) {
      const row = await database.maybe<OrderRow>(selectOrder, [orderId])
      return row && toOrder(row)
    },
    async list({ customerId, status, before = null, limit }) {
      const rows =
        customerId !== undefined
          ? await database.query<OrderRow>(listOfCustomer, [before, limit, customerId, status])
          : status !== undefined
            ? await database.query<OrderRow>(listByStatus, [before, limit, status])
            : await database.query<OrderRow>(listAll, [before, limit])
      return rows.map(toOrder)
    },
    update: (orderId, decide) =>
      database.transaction(async (tx) => {
        // The lock lets one decision at a time see the order: a webhook or a cancellation.
        const row = await tx.maybe<OrderRow>(lockOrder, [orderId])
        if (!row) return undefined
        const before = toOrder(row)
        const { order, messages, outcome } = decide(before)
        if (order !== before) {
          await tx.run(updateOrder, [
            order.id,
            order.version,
            order.status,
            order.payment.status,
            order.cancellation?.requestedAt,
            order.cancellation?.reason,
            toOutboxRows(messages),
          ])
        }
        return { order, outcome }
      }),
    findExpired: (before, limit) => database.query(selectExpired, [before, limit]),
    findToCancel: (before, limit) => database.query(selectToCancel, [before, limit]),
  }
}

function toOrder(row: OrderRow): Order {
  return {
    id: row.id,
    version: row.version,
    status: row.status,
    cartId: row.cart_id,
    customerId: row.customer_id,
    email: row.email,
    shippingAddress: row.shipping_address,
    lines: row.lines,
    total: { amountMinor: row.total_minor, currency: row.currency },
    payment: {
      id: row.payment_id,
      status: row.payment_status,
      redirectUrl: row.redirect_url,
      expiresAt: row.expires_at,
    },
    placedAt: row.placed_at,
    cancellation:
      row.cancellation_requested_at === null
        ? null
        : { requestedAt: row.cancellation_requested_at, reason: row.cancellation_reason },
  }
}
