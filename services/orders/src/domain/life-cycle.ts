import { AppError, type ErrorKind } from '@halles/kit/errors'
import type { Fulfilment, LineQuantity, Order, OrderStatus } from './order.ts'
import { isAllReturned, isSecured, type MoneyFacts, type Refund } from './payment.ts'

/**
 * What can befall an order: the news of its money (it `waits`, it is `secured`, it `ended` without
 * any, all of it was `returned`), and what people and time do.
 */
export type Command =
  | 'waits'
  | 'secured'
  | 'ended'
  | 'returned'
  | 'cancel'
  | 'expire'
  | 'fulfil'
  | 'deliver'
  | 'refund'

export type Rejection =
  | 'ORDER_NOT_CANCELLABLE'
  | 'ORDER_NOT_FULFILLABLE'
  | 'ORDER_NOT_REFUNDABLE'
  | 'FULFILMENT_NOT_FOUND'

/**
 * Every step, legal or not: the statuses that it may lead to, of which the facts (what was sent,
 * what was returned) choose, or the code with which it is refused. A status that leads to itself
 * absorbs the step. `refunded` is left again when a refund fails after all.
 */
export const transitions: Readonly<
  Record<OrderStatus, Readonly<Record<Command, readonly OrderStatus[] | Rejection>>>
> = {
  pending_payment: {
    waits: ['pending_payment'],
    secured: ['paid', 'cancelled'],
    ended: ['cancelled'],
    returned: ['refunded', 'cancelled'],
    cancel: ['cancelled'],
    // One whose money is on its way waits for it.
    expire: ['cancelled', 'pending_payment'],
    fulfil: 'ORDER_NOT_FULFILLABLE',
    deliver: 'FULFILMENT_NOT_FOUND',
    refund: 'ORDER_NOT_REFUNDABLE',
  },
  paid: {
    waits: ['paid'],
    secured: ['paid'],
    ended: ['cancelled'],
    returned: ['refunded', 'cancelled'],
    cancel: ['cancelled'],
    expire: ['paid'],
    fulfil: ['partly_fulfilled', 'fulfilled'],
    deliver: 'FULFILMENT_NOT_FOUND',
    refund: ['paid'],
  },
  partly_fulfilled: {
    waits: ['partly_fulfilled'],
    secured: ['partly_fulfilled', 'fulfilled', 'delivered'],
    ended: ['partly_fulfilled'],
    returned: ['refunded'],
    cancel: 'ORDER_NOT_CANCELLABLE',
    expire: ['partly_fulfilled'],
    fulfil: ['partly_fulfilled', 'fulfilled'],
    deliver: ['partly_fulfilled'],
    refund: ['partly_fulfilled', 'fulfilled', 'delivered'],
  },
  fulfilled: {
    waits: ['fulfilled'],
    secured: ['fulfilled', 'partly_fulfilled'],
    ended: ['fulfilled'],
    returned: ['refunded'],
    cancel: 'ORDER_NOT_CANCELLABLE',
    expire: ['fulfilled'],
    fulfil: 'ORDER_NOT_FULFILLABLE',
    deliver: ['fulfilled', 'delivered'],
    refund: ['fulfilled'],
  },
  delivered: {
    waits: ['delivered'],
    secured: ['delivered', 'partly_fulfilled'],
    ended: ['delivered'],
    returned: ['refunded'],
    cancel: 'ORDER_NOT_CANCELLABLE',
    expire: ['delivered'],
    fulfil: 'ORDER_NOT_FULFILLABLE',
    deliver: ['delivered'],
    refund: ['delivered'],
  },
  cancelled: {
    waits: ['cancelled'],
    secured: ['cancelled'],
    ended: ['cancelled'],
    returned: ['cancelled'],
    cancel: ['cancelled'],
    expire: ['cancelled'],
    fulfil: 'ORDER_NOT_FULFILLABLE',
    deliver: 'FULFILMENT_NOT_FOUND',
    refund: 'ORDER_NOT_REFUNDABLE',
  },
  refunded: {
    waits: ['refunded'],
    secured: ['paid', 'partly_fulfilled', 'fulfilled', 'delivered'],
    ended: ['refunded'],
    returned: ['refunded'],
    cancel: 'ORDER_NOT_CANCELLABLE',
    expire: ['refunded'],
    fulfil: 'ORDER_NOT_FULFILLABLE',
    deliver: ['refunded'],
    refund: 'ORDER_NOT_REFUNDABLE',
  },
}

const rejections: Readonly<Record<Rejection, { kind: ErrorKind; verb: string }>> = {
  ORDER_NOT_CANCELLABLE: { kind: 'conflict', verb: 'be cancelled' },
  ORDER_NOT_FULFILLABLE: { kind: 'conflict', verb: 'be fulfilled' },
  ORDER_NOT_REFUNDABLE: { kind: 'conflict', verb: 'be refunded' },
  FULFILMENT_NOT_FOUND: { kind: 'not-found', verb: 'have such a fulfilment' },
}

/** @throws conflict `ORDER_NOT_…`, not-found `FULFILMENT_NOT_FOUND` when the table refuses it. */
export function checkAllowed({ status }: Pick<Order, 'status'>, command: Command): void {
  const cell = transitions[status][command]
  if (typeof cell === 'string') throw rejected(status, cell)
}

export function rejected(status: OrderStatus, code: Rejection): AppError {
  const { kind, verb } = rejections[code]
  return new AppError(kind, code, `An order that is ${status} cannot ${verb}.`)
}

/** What an order's status follows from. */
export type Facts = Omit<MoneyFacts, 'refunds'> & {
  status: OrderStatus
  lines: readonly LineQuantity[]
  fulfilments: readonly Pick<Fulfilment, 'lines' | 'deliveredAt'>[]
  refunds: readonly Pick<Refund, 'status' | 'amountMinor' | 'lines' | 'unsent' | 'restocked'>[]
}

/** What the state of its money means to an order. */
export function newsOf(facts: MoneyFacts): Command & ('waits' | 'secured' | 'ended' | 'returned') {
  if (isAllReturned(facts)) return 'returned'
  if (isSecured(facts)) return 'secured'
  return facts.payment.phase === 'ended' ? 'ended' : 'waits'
}

/**
 * The order with the status that the command leads to; the facts are those after it.
 * @throws what the table refuses it with.
 */
export function move<T extends Facts>(order: T, command: Command): T {
  checkAllowed(order, command)
  const status = targetOf(order, command)
  const cell = transitions[order.status][command]
  if (!cell.includes(status)) {
    throw new Error(`${command} led an order that was ${order.status} to ${status}.`)
  }
  return status === order.status ? order : { ...order, status }
}

function targetOf(facts: Facts, command: Command): OrderStatus {
  const { status, cancellation, payment } = facts
  switch (command) {
    case 'waits':
      return status
    case 'expire':
      return status === 'pending_payment' && payment.phase !== 'processing' ? 'cancelled' : status
    case 'cancel':
      return 'cancelled'
    case 'ended':
      return status === 'pending_payment' || status === 'paid' ? 'cancelled' : status
    case 'secured':
      if (status === 'cancelled') return status
      return status === 'pending_payment' && cancellation ? 'cancelled' : progressOf(facts)
    case 'returned':
      return status === 'cancelled' || cancellation ? 'cancelled' : 'refunded'
    default:
      return status === 'refunded' ? status : progressOf(facts)
  }
}

/** How far an order whose money is there has come. */
export function progressOf(facts: Pick<Facts, 'lines' | 'fulfilments' | 'refunds'>): OrderStatus {
  if (facts.fulfilments.length === 0) return 'paid'
  if (shippable(facts).length > 0) return 'partly_fulfilled'
  return facts.fulfilments.every(({ deliveredAt }) => deliveredAt !== null)
    ? 'delivered'
    : 'fulfilled'
}

/** The pieces of a line that left the house. */
export function fulfilledQuantity(
  { fulfilments }: Pick<Facts, 'fulfilments'>,
  variantId: string,
): number {
  return quantityIn(fulfilments, variantId)
}

/** The pieces of a line whose money went or goes back, or that went back to the stock. */
export function refundedQuantity({ refunds }: Pick<Facts, 'refunds'>, variantId: string): number {
  const covered = refunds.map(({ status, lines, unsent, restocked }) => ({
    lines: status === 'failed' ? restocked : [...lines, ...unsent],
  }))
  return quantityIn(covered, variantId)
}

/**
 * What has still to be sent. A refund is taken to be for pieces that have not left the house, as
 * long as there are any: what was paid back is never sent.
 */
export function shippable(facts: Pick<Facts, 'lines' | 'fulfilments' | 'refunds'>): LineQuantity[] {
  return facts.lines.flatMap(({ variantId, quantity }) => {
    const left = quantity - fulfilledQuantity(facts, variantId) - refundedQuantity(facts, variantId)
    return left > 0 ? [{ variantId, quantity: left }] : []
  })
}

function quantityIn(
  groups: readonly { lines: readonly LineQuantity[] }[],
  variantId: string,
): number {
  return groups
    .flatMap(({ lines }) => lines)
    .filter((line) => line.variantId === variantId)
    .reduce((sum, { quantity }) => sum + quantity, 0)
}
