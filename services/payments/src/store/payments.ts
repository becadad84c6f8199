import type { Database, Queries } from '@halles/kit/database'
import type { Payment } from '../domain/payment.ts'
import type { PaymentStore } from '../ports.ts'
import { type PaymentRow, toPayment } from './payment-rows.ts'
import {
  closePayment,
  createPayment,
  lockPayment,
  openPayment,
  recordCompared,
  recordSettled,
  selectByIntent,
  selectByOrder,
  selectByRefund,
  selectBySessions,
  selectPayment,
  selectToCompare,
  updatePayment,
} from './payment-statements.ts'

const noPayment = () => new Error('A payment that was kept is gone.')

export function createPaymentStore(database: Database): PaymentStore {
  const find = async (statement: typeof selectPayment, value: unknown) => {
    const row = await database.maybe<PaymentRow>(statement, [value])
    return row && toPayment(row)
  }

  return {
    async create({ id, orderId, provider, captureMethod, terms }) {
      const { email, lines, amount, expiresAt } = terms
      const charged = [amount.amountMinor, amount.currency, expiresAt]
      const values = [
        id,
        orderId,
        provider,
        captureMethod,
        email,
        JSON.stringify(lines),
        ...charged,
      ]
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
    findById: (paymentId) => find(selectPayment, paymentId),
    findByOrder: (orderId) => find(selectByOrder, orderId),
    findByIntent: (intentId) => find(selectByIntent, intentId),
    findByRefund: (refundId) => find(selectByRefund, JSON.stringify([{ id: refundId }])),
    async findBySessions(sessionIds) {
      return (await database.query<PaymentRow>(selectBySessions, [sessionIds])).map(toPayment)
    },
    async update(known, decide) {
      const decided = decide(known)
      if (decided === known || (await save(database, known, decided))) return decided
      return database.transaction(async (tx) => {
        const newest = toPayment(await tx.one<PaymentRow>(lockPayment, [known.id], noPayment))
        const next = decide(newest)
        if (next === newest || (await save(tx, newest, next))) return next
        throw new Error('A payment changed under its lock.')
      })
    },
    async recordSettled(paymentId, revision) {
      await database.run(recordSettled, [paymentId, revision])
    },
    async recordCompared(paymentIds, at) {
      await database.run(recordCompared, [paymentIds, at])
    },
    async findToCompare({ from, to, before, limit }) {
      const rows = await database.query<PaymentRow>(selectToCompare, [from, to, before, limit])
      return rows.map(toPayment)
    },
  }
}

/** False when somebody else has changed the payment since it was read. */
async function save(queries: Queries, known: Payment, decided: Payment): Promise<boolean> {
  const { state, intentId, receipt, revision } = decided
  const changed = await queries.run(updatePayment, [
    known.id,
    known.revision,
    revision,
    state.phase,
    state.capturedMinor,
    JSON.stringify(state.refunds),
    JSON.stringify(state.disputes),
    intentId,
    receipt && JSON.stringify(receipt),
  ])
  return changed === 1
}
