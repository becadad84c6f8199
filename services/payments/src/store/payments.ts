import { type Database, sql } from '@halles/kit/database'
import type { Payment } from '../domain.ts'
import type { PaymentStore } from '../ports.ts'

type PaymentRow = {
  id: string
  order_id: string
  status: Payment['status']
  email: string | null
  lines: { title: string; quantity: number; unitAmountMinor: number }[] | null
  amount_minor: number | null
  currency: string | null
  expires_at: Date | null
  session_id: string | null
  redirect_url: string | null
}

const columns = `id, order_id, status, email, lines, amount_minor, currency, expires_at, session_id,
  redirect_url`

// The empty update makes a conflict return, and wait for, the row of whoever was first.
const createPayment = sql(
  'payments.create',
  `insert into payments
     (id, order_id, status, email, lines, amount_minor, currency, expires_at)
   values ($1, $2, 'created', $3, $4, $5, $6, $7)
   on conflict (order_id) do update set order_id = excluded.order_id
   returning ${columns}`,
)
const openPayment = sql(
  'payments.open',
  `update payments set session_id = $2, redirect_url = $3, updated_at = now(),
     status = case when status = 'created' then 'open' else status end
   where id = $1 returning ${columns}`,
)
const closePayment = sql(
  'payments.close',
  `insert into payments (id, order_id, status) values ($1, $2, 'cancelled')
   on conflict (order_id) do update set updated_at = now(),
     status = case when payments.status = 'created' then 'cancelled' else payments.status end
   returning ${columns}`,
)
const recordEnd = sql(
  'payments.record_end',
  `update payments set status = $2, updated_at = now()
   where id = $1 and status in ('created', 'open')`,
)
const recordRefund = sql(
  'payments.record_refund',
  `update payments set status = 'refunded', refund_id = coalesce($2, refund_id), updated_at = now()
   where id = $1 and lines is not null`,
)

export function createPaymentStore(database: Database): PaymentStore {
  const noPayment = () => new Error('A payment that was kept is gone.')
  return {
    async create({ id, orderId, terms: { email, lines, amount, expiresAt } }) {
      const charged = [amount.amountMinor, amount.currency, expiresAt]
      const values = [id, orderId, email, JSON.stringify(lines), ...charged]
      return toPayment(await database.one<PaymentRow>(createPayment, values, noPayment))
    },
    async open(paymentId, { id, url }) {
      const values = [paymentId, id, url]
      return toPayment(await database.one<PaymentRow>(openPayment, values, noPayment))
    },
    async close(orderId, newPaymentId) {
      const values = [newPaymentId, orderId]
      return toPayment(await database.one<PaymentRow>(closePayment, values, noPayment))
    },
    async recordPaid(paymentId) {
      await database.run(recordEnd, [paymentId, 'paid'])
    },
    async recordCancelled(paymentId) {
      await database.run(recordEnd, [paymentId, 'cancelled'])
    },
    async recordRefund(paymentId, refundId) {
      await database.run(recordRefund, [paymentId, refundId])
    },
  }
}

function toPayment(row: PaymentRow): Payment {
  const { lines, amount_minor: amountMinor, currency, expires_at: expiresAt } = row
  const hasTerms = lines !== null && amountMinor !== null && currency !== null && expiresAt !== null
  return {
    id: row.id,
    orderId: row.order_id,
    status: row.status,
    terms: hasTerms
      ? { email: row.email, lines, amount: { amountMinor, currency }, expiresAt }
      : null,
    session:
      row.session_id !== null && row.redirect_url !== null
        ? { id: row.session_id, url: row.redirect_url }
        : null,
  }
}
