import { toOutboxRows } from '@halles/kit/outbox'
import type { Decision, Fulfilment, Order } from '../domain/order.ts'
import { paymentStatusOf, type Refund } from '../domain/payment.ts'
import type { Entry } from '../domain/timeline.ts'

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
  shipping_minor: number
  tax_included_minor: number
  currency: string
  payment_id: string
  payment_method: Order['payment']['method']
  payment_revision: number
  payment_phase: Order['payment']['phase']
  captured_minor: number
  disputes: Order['payment']['disputes']
  redirect_url: string
  expires_at: Date
  fulfilments: readonly Stored<Fulfilment>[]
  refunds: readonly Stored<Refund>[]
  placed_at: Date
  cancellation_requested_at: Date | null
  cancellation_reason: string | null
}

/** As JSON keeps it. */
type Stored<T> = { [Name in keyof T]: T[Name] extends Date | null ? string : T[Name] }

export const columns = `id, version, status, cart_id, customer_id, email, shipping_address, lines,
  total_minor, shipping_minor, tax_included_minor, currency, payment_id, payment_method,
  payment_revision, payment_phase, captured_minor, disputes, redirect_url, expires_at, fulfilments,
  refunds, placed_at, cancellation_requested_at, cancellation_reason`

/**
 * The SQL that appends the entries in parameter `$n` ({@link toEntryRows}) to the time-line of order
 * `$1`, to be a CTE of the statement that changes it.
 */
export function timelineInsert(parameter: number, changed: string): string {
  return `insert into order_timeline
      (order_id, seq, at, actor, subject_id, what, status, cause, details)
    select $1, seq, at, actor, "subjectId", what, status, cause, details
    from jsonb_to_recordset($${parameter}::jsonb) as entry (seq int, at timestamptz, actor text,
      "subjectId" uuid, what text, status text, cause text, details jsonb)
    where exists (select 1 from ${changed})`
}

export function toEntryRows(entries: readonly Entry[]): string {
  return JSON.stringify(
    entries.map(({ actor, ...entry }) => ({
      ...entry,
      actor: actor.kind,
      subjectId: actor.subjectId,
    })),
  )
}

/** The values of `update_order`, from `$2`. */
export function toChanges({ order, entries, messages }: Decision<unknown>): unknown[] {
  const requested = order.refunds.filter(({ status }) => status === 'requested')
  return [
    order.version,
    order.status,
    paymentStatusOf(order),
    order.payment.revision,
    order.payment.phase,
    order.payment.capturedMinor,
    JSON.stringify(order.payment.disputes),
    JSON.stringify(order.fulfilments),
    JSON.stringify(order.refunds),
    requested[0]?.at,
    order.cancellation?.requestedAt,
    order.cancellation?.reason,
    toEntryRows(entries),
    toOutboxRows(messages),
  ]
}

export function toOrder(row: OrderRow): Order {
  const { currency } = row
  const money = (amountMinor: number) => ({ amountMinor, currency })
  return {
    id: row.id,
    version: row.version,
    status: row.status,
    cartId: row.cart_id,
    customerId: row.customer_id,
    email: row.email,
    shippingAddress: row.shipping_address,
    lines: row.lines,
    totals: {
      subtotal: money(row.total_minor - row.shipping_minor),
      shipping: money(row.shipping_minor),
      taxIncluded: money(row.tax_included_minor),
      total: money(row.total_minor),
    },
    payment: {
      id: row.payment_id,
      method: row.payment_method,
      redirectUrl: row.redirect_url,
      expiresAt: row.expires_at,
      revision: row.payment_revision,
      phase: row.payment_phase,
      capturedMinor: row.captured_minor,
      disputes: row.disputes,
    },
    fulfilments: row.fulfilments.map((fulfilment) => ({
      ...fulfilment,
      at: new Date(fulfilment.at),
      deliveredAt: fulfilment.deliveredAt === null ? null : new Date(fulfilment.deliveredAt),
    })),
    refunds: row.refunds.map((refund) => ({ ...refund, at: new Date(refund.at) })),
    placedAt: row.placed_at,
    cancellation:
      row.cancellation_requested_at === null
        ? null
        : { requestedAt: row.cancellation_requested_at, reason: row.cancellation_reason },
  }
}
