import { AppError } from '@halles/kit/errors'
import { addMoney, type Money, multiplyMoney } from '@halles/kit/money'
import { checkAllowed, move, newsOf, refundedQuantity, rejected } from './life-cycle.ts'
import { findLines, isSameLines, mergeLines } from './lines.ts'
import {
  type Decision,
  keyReused,
  type LineQuantity,
  type Moment,
  type Order,
  paymentDisputed,
  record,
  unchanged,
} from './order.ts'
import { disputeOf, type Refund, refundableMinor } from './payment.ts'

export type NewRefund = {
  id: string
  lines: readonly LineQuantity[]
  /** The price of the lines when undefined. */
  amount: Money | undefined
  isReturned: boolean
  reason: string | null
}

// More than pieces of any real order; keeps the row short.
const maxRefunds = 200

/**
 * Records a refund before payments is asked for it, so that two at once can never exceed what was
 * captured. The same id changes nothing.
 * @throws conflict `ORDER_NOT_REFUNDABLE`, `PAYMENT_DISPUTED`, `REFUND_TOO_LARGE`; unprocessable
 *   `LINE_NOT_IN_ORDER`, `CURRENCY_MISMATCH`, `IDEMPOTENCY_KEY_REUSED`; invalid `INVALID_REQUEST`.
 */
export function requestRefund(order: Order, asked: NewRefund, moment: Moment): Decision {
  const lines = mergeLines(asked.lines)
  const known = order.refunds.find(({ id }) => id === asked.id)
  if (known) {
    if (!isSameRefund(known, { ...asked, lines })) throw keyReused()
    return unchanged(order)
  }
  checkAllowed(order, 'refund')
  if (order.cancellation) throw rejected(order.status, 'ORDER_NOT_REFUNDABLE')
  if (disputeOf(order) === 'open') throw paymentDisputed()
  const amountMinor = amountOf(order, { ...asked, lines })
  checkPieces(order, lines)
  const refundable = refundableMinor(order)
  if (amountMinor > refundable || order.refunds.length >= maxRefunds) {
    const { currency } = order.totals.total
    throw tooLarge({ refundable: { amountMinor: refundable, currency } })
  }
  const { id, isReturned, reason } = asked
  const refund: Refund = {
    id,
    isOurs: true,
    status: 'requested',
    amountMinor,
    lines,
    isReturned,
    reason,
    at: moment.at,
    unsent: [],
    restocked: [],
    problem: null,
  }
  const refunding = move({ ...order, refunds: [...order.refunds, refund] }, 'refund')
  const details = { refundId: id, amountMinor, lines, isReturned, reason }
  return record(refunding, [{ what: 'refund-requested', details }], moment)
}

/** Records that payments refused a requested refund for good: its amount and lines are free again. */
export function refuseRefund(
  order: Order,
  { refundId, problem }: { refundId: string; problem: { code: string; message: string } },
  moment: Moment,
): Decision {
  const known = order.refunds.find(({ id }) => id === refundId)
  if (known?.status !== 'requested') return unchanged(order)
  const refused: Refund = { ...known, status: 'failed', problem }
  const refunds = order.refunds.map((refund) => (refund === known ? refused : refund))
  const { amountMinor } = known
  const details = { refundId, amountMinor, code: problem.code }
  const facts = { ...order, refunds }
  return record(move(facts, newsOf(facts)), [{ what: 'refund-failed', details }], moment)
}

function isSameRefund(known: Refund, asked: NewRefund): boolean {
  return (
    isSameLines(known.lines, asked.lines) &&
    (asked.amount === undefined || asked.amount.amountMinor === known.amountMinor) &&
    known.isReturned === asked.isReturned &&
    known.reason === asked.reason
  )
}

function amountOf({ lines: bought, totals }: Order, { lines, amount }: NewRefund): number {
  const { currency } = totals.total
  const found = findLines(bought, lines)
  const price = found
    .map(({ line, quantity }) => multiplyMoney(line.unitPrice, quantity))
    .reduce(addMoney, { amountMinor: 0, currency })
  if (amount && amount.currency !== currency) {
    throw new AppError('unprocessable', 'CURRENCY_MISMATCH', 'The order has another currency.', {
      errors: [{ pointer: '/body/amount/currency', detail: 'is not the currency of the order' }],
    })
  }
  const { amountMinor } = amount ?? price
  if (amountMinor > 0) return amountMinor
  throw new AppError('invalid', 'INVALID_REQUEST', 'The request has fields that cannot be used.', {
    errors: [{ pointer: '/body/amount', detail: 'must be positive when the lines cost nothing' }],
  })
}

function checkPieces(order: Order, lines: readonly LineQuantity[]): void {
  const excess = findLines(order.lines, lines).flatMap(({ line, quantity }) => {
    const left = line.quantity - refundedQuantity(order, line.variantId)
    return quantity > left
      ? [{ variantId: line.variantId, requested: quantity, refundable: left }]
      : []
  })
  if (excess.length > 0) throw tooLarge({ lines: excess })
}

function tooLarge(details: Readonly<Record<string, unknown>>): AppError {
  return new AppError(
    'conflict',
    'REFUND_TOO_LARGE',
    'There is not as much left that can be returned.',
    { details },
  )
}
