import { AppError } from '@halles/kit/errors'
import { uuidv7 } from '@halles/kit/ids'
import type { PaymentState } from '../src/domain/payment.ts'
import type { Payments } from '../src/ports.ts'

type Refund = PaymentState['refunds'][number]

/** Payments and its provider in memory; each change is a revision. */
export function fakePayments() {
  const states = new Map<string, PaymentState>()
  const calls: string[] = []

  function find(orderId: string): PaymentState {
    const state = states.get(orderId)
    if (!state) throw new AppError('not-found', 'PAYMENT_NOT_FOUND', 'No payment.')
    return state
  }
  function change(orderId: string, changes: Partial<PaymentState>): PaymentState {
    const state = find(orderId)
    const changed = { ...state, ...changes, revision: state.revision + 1 }
    states.set(orderId, changed)
    return changed
  }
  const keptMinor = ({ capturedMinor, refunds }: PaymentState) =>
    capturedMinor -
    refunds
      .filter(({ phase }) => phase !== 'failed')
      .reduce((sum, { amountMinor }) => sum + amountMinor, 0)

  function addRefund(orderId: string, refund: Refund): PaymentState {
    const state = find(orderId)
    if (state.refunds.some(({ id }) => id === refund.id)) return state
    if (state.disputes.some(({ phase }) => phase === 'open')) {
      throw new AppError('conflict', 'PAYMENT_DISPUTED', 'Disputed.')
    }
    if (refund.amountMinor > keptMinor(state)) {
      throw new AppError('conflict', 'REFUND_TOO_LARGE', 'Too large.')
    }
    return change(orderId, { refunds: [...state.refunds, refund] })
  }

  const payments: Payments = {
    async createPayment({ orderId, totals }) {
      const { amountMinor, currency } = totals.total
      const known = states.get(orderId) ?? {
        paymentId: uuidv7(),
        revision: 1,
        phase: 'open',
        currency,
        amountMinor,
        capturedMinor: 0,
        refunds: [],
        disputes: [],
      }
      if (known.phase === 'ended') {
        throw new AppError('conflict', 'PAYMENT_CANCELLED', 'Cancelled.')
      }
      states.set(orderId, known)
      return { paymentId: known.paymentId, redirectUrl: `https://pay.example/${known.paymentId}` }
    },
    async cancelPayment(orderId) {
      const known = states.get(orderId)
      if (!known) {
        const tombstone: PaymentState = {
          paymentId: '',
          revision: 1,
          phase: 'ended',
          currency: 'GBP',
          amountMinor: 0,
          capturedMinor: 0,
          refunds: [],
          disputes: [],
        }
        states.set(orderId, tombstone)
        return tombstone
      }
      if (known.phase === 'processing') {
        throw new AppError('conflict', 'PAYMENT_PROCESSING', 'Not decided yet.')
      }
      if (known.phase !== 'captured') return change(orderId, { phase: 'ended' })
      const amountMinor = keptMinor(known)
      if (amountMinor === 0) return known
      return addRefund(orderId, { id: uuidv7(), isOurs: false, amountMinor, phase: 'succeeded' })
    },
    async capturePayment(orderId, amountMinor) {
      calls.push(`capture ${orderId}`)
      const { phase } = find(orderId)
      if (phase === 'captured') return find(orderId)
      if (phase !== 'authorized') {
        throw new AppError('conflict', 'PAYMENT_NOT_AUTHORIZED', 'Not held.')
      }
      return change(orderId, { phase: 'captured', capturedMinor: amountMinor })
    },
    async refundPayment({ orderId, refundId, amountMinor }) {
      calls.push(`refund ${refundId}`)
      return addRefund(orderId, { id: refundId, isOurs: true, amountMinor, phase: 'succeeded' })
    },
    syncPayment: async (orderId) => find(orderId),
    async recordReceipt({ orderId, amountMinor }) {
      if (amountMinor !== find(orderId).amountMinor) {
        throw new AppError('conflict', 'RECEIPT_MISMATCH', 'Another amount.')
      }
      return change(orderId, { phase: 'captured', capturedMinor: amountMinor })
    },
  }
  return {
    payments,
    states,
    calls,
    find,
    change,
    /** The shopper pays, when that can still be done. */
    pay(orderId: string): PaymentState {
      const { phase, amountMinor } = find(orderId)
      if (phase !== 'open' && phase !== 'processing') return find(orderId)
      return change(orderId, { phase: 'captured', capturedMinor: amountMinor })
    },
    keptMinor: (orderId: string) => keptMinor(find(orderId)),
    returnAll(orderId: string): PaymentState {
      const amountMinor = keptMinor(find(orderId))
      if (amountMinor === 0) return find(orderId)
      return addRefund(orderId, { id: uuidv7(), isOurs: false, amountMinor, phase: 'succeeded' })
    },
  }
}
