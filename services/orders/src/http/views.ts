import type {
  OrderSummaries,
  Order as OrderView,
  TimelineEntry,
} from '@halles/contracts/gen/http/orders'
import { multiplyMoney } from '@halles/kit/money'
import { fulfilledQuantity, refundedQuantity } from '../domain/life-cycle.ts'
import type { Order } from '../domain/order.ts'
import { disputeOf, paymentStatusOf, refundedMinor } from '../domain/payment.ts'
import type { Entry } from '../domain/timeline.ts'
import type { OrderSummary, Unfinished } from '../ports.ts'

export function toOrderView(order: Order): OrderView {
  const { id, status, customerId, email, shippingAddress, totals, version } = order
  return {
    id,
    status,
    customerId,
    email,
    shippingAddress,
    lines: order.lines.map((line) => ({
      ...line,
      fulfilledQuantity: fulfilledQuantity(order, line.variantId),
      refundedQuantity: refundedQuantity(order, line.variantId),
      total: multiplyMoney(line.unitPrice, line.quantity),
    })),
    totals,
    total: totals.total,
    payment: toPaymentView(order),
    fulfilments: order.fulfilments.map(({ lines, at, deliveredAt, ...fulfilment }) => ({
      ...fulfilment,
      lines: [...lines],
      at: at.toISOString(),
      deliveredAt: deliveredAt?.toISOString() ?? null,
    })),
    refunds: order.refunds.map(toRefundView(totals.total.currency)),
    placedAt: order.placedAt.toISOString(),
    version,
  }
}

function toPaymentView(order: Order): OrderView['payment'] {
  const { method, capturedMinor, redirectUrl } = order.payment
  const { currency } = order.totals.total
  return {
    method,
    status: paymentStatusOf(order),
    captured: { amountMinor: capturedMinor, currency },
    refunded: { amountMinor: refundedMinor(order), currency },
    dispute: disputeOf(order),
    redirectUrl: order.status === 'pending_payment' && redirectUrl !== '' ? redirectUrl : null,
  }
}

function toRefundView(currency: string) {
  return ({ id, status, amountMinor, ...refund }: Order['refunds'][number]) => ({
    id,
    status,
    amount: { amountMinor, currency },
    lines: [...refund.lines],
    isReturned: refund.isReturned,
    reason: refund.reason,
    at: refund.at.toISOString(),
  })
}

export function toSummaryView(order: Order) {
  const { id, status, customerId, email, totals, lines, placedAt } = order
  return {
    id,
    status,
    customerId,
    email,
    paymentStatus: paymentStatusOf(order),
    total: totals.total,
    lineCount: lines.length,
    placedAt: placedAt.toISOString(),
  }
}

export function toSummariesView(
  { from, to }: { from: Date; to: Date },
  { days, ...summary }: OrderSummary,
): OrderSummaries {
  return {
    ...summary,
    from: from.toISOString(),
    to: to.toISOString(),
    days: days.map(({ date, currency, orders, revenueMinor, refundedMinor: refunded }) => ({
      date,
      orders,
      revenue: { amountMinor: revenueMinor, currency },
      refunded: { amountMinor: refunded, currency },
    })),
  }
}

/** Which member of the staff it was is for the staff. */
export function toEntryView({ mayAll }: { mayAll: boolean }) {
  return ({ at, actor, what, status, cause, details }: Entry): TimelineEntry => {
    const isHidden = actor.kind === 'staff' && !mayAll
    return {
      at: at.toISOString(),
      actor: isHidden ? { ...actor, subjectId: null } : actor,
      what,
      status,
      cause: isHidden ? (cause?.replace(/^(receipt|sent):.*/, '$1') ?? null) : cause,
      details,
    }
  }
}

export function toUnfinishedView({ kind, orderId, since }: Unfinished) {
  return { kind, orderId, since: since.toISOString() }
}
