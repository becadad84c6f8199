import { orderDelivered, orderFulfilled } from '@halles/contracts/gen/messages/orders'
import { AppError } from '@halles/kit/errors'
import { checkAllowed, move, rejected, shippable } from './life-cycle.ts'
import { findLines, isSameLines, mergeLines } from './lines.ts'
import { tell } from './messages.ts'
import {
  type Decision,
  type Fulfilment,
  keyReused,
  type LineQuantity,
  type Moment,
  type Order,
  paymentDisputed,
  record,
  unchanged,
} from './order.ts'
import { disputeOf, isCaptured } from './payment.ts'

export type NewFulfilment = Pick<Fulfilment, 'id' | 'lines' | 'carrier' | 'trackingNumber'>

// Each may be one piece; more is a mistake of whoever calls, and would make the row too long.
const maxFulfilments = 200

/**
 * What stands between the order and the fulfilment: nothing any more, the capture of money that is
 * held, or nothing at all.
 * @throws conflict `ORDER_NOT_FULFILLABLE`, `PAYMENT_DISPUTED`, `FULFILMENT_TOO_LARGE`;
 *   unprocessable `LINE_NOT_IN_ORDER`, `IDEMPOTENCY_KEY_REUSED`.
 */
export function checkFulfilment(order: Order, asked: NewFulfilment): 'done' | 'capture' | 'ready' {
  const known = order.fulfilments.find(({ id }) => id === asked.id)
  const lines = mergeLines(asked.lines)
  if (known) {
    const isSame =
      isSameLines(known.lines, lines) &&
      known.carrier === asked.carrier &&
      known.trackingNumber === asked.trackingNumber
    if (!isSame) throw keyReused()
    return 'done'
  }
  checkAllowed(order, 'fulfil')
  if (order.cancellation) throw rejected(order.status, 'ORDER_NOT_FULFILLABLE')
  if (disputeOf(order) === 'open') throw paymentDisputed()
  findLines(order.lines, lines)
  checkUnsent(order, lines)
  if (order.fulfilments.length >= maxFulfilments) throw tooLarge([])
  return isCaptured(order) ? 'ready' : 'capture'
}

/** Records that pieces left the house; recording it again changes nothing. */
export function fulfil(order: Order, asked: NewFulfilment, moment: Moment): Decision {
  const state = checkFulfilment(order, asked)
  if (state === 'done') return unchanged(order)
  if (state === 'capture') throw notCaptured()
  const { id, carrier, trackingNumber } = asked
  const lines = mergeLines(asked.lines)
  const fulfilment = { id, lines, carrier, trackingNumber, at: moment.at, deliveredAt: null }
  const sent = { ...order, fulfilments: [...order.fulfilments, fulfilment] }
  const details = { fulfilmentId: id, lines, carrier }
  const decision = record(move(sent, 'fulfil'), [{ what: 'fulfilled', details }], moment)
  return { ...decision, messages: [tell(orderFulfilled, decision.order, moment)] }
}

/** Records that a fulfilment arrived. @throws not-found `FULFILMENT_NOT_FOUND`. */
export function deliver(order: Order, fulfilmentId: string, moment: Moment): Decision {
  checkAllowed(order, 'deliver')
  const known = order.fulfilments.find(({ id }) => id === fulfilmentId)
  if (!known) throw rejected(order.status, 'FULFILMENT_NOT_FOUND')
  if (known.deliveredAt) return unchanged(order)
  const fulfilments = order.fulfilments.map((fulfilment) =>
    fulfilment === known ? { ...fulfilment, deliveredAt: moment.at } : fulfilment,
  )
  const arrived = move({ ...order, fulfilments }, 'deliver')
  const decision = record(arrived, [{ what: 'delivered', details: { fulfilmentId } }], moment)
  const isComplete = arrived.status === 'delivered' && order.status !== 'delivered'
  return {
    ...decision,
    messages: isComplete ? [tell(orderDelivered, decision.order, moment)] : [],
  }
}

function checkUnsent(order: Order, lines: readonly LineQuantity[]): void {
  const left = new Map(shippable(order).map(({ variantId, quantity }) => [variantId, quantity]))
  const excess = lines.filter(({ variantId, quantity }) => quantity > (left.get(variantId) ?? 0))
  if (excess.length === 0) return
  throw tooLarge(
    excess.map(({ variantId, quantity }) => ({
      variantId,
      requested: quantity,
      unsent: left.get(variantId) ?? 0,
    })),
  )
}

function tooLarge(lines: readonly object[]): AppError {
  return new AppError(
    'conflict',
    'FULFILMENT_TOO_LARGE',
    'There are not as many pieces left to send.',
    { details: { lines } },
  )
}

export function notCaptured(): AppError {
  return new AppError(
    'unavailable',
    'CAPTURE_PENDING',
    'The money is held but not captured yet. Nothing was recorded; try again.',
    { retryAfterSeconds: 5 },
  )
}
