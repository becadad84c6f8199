import { orderPlaced } from '@halles/contracts/gen/messages/orders'
import type { OutgoingMessage } from '@halles/contracts/message'
import { AppError } from '@halles/kit/errors'
import type { Money } from '@halles/kit/money'
import { tell } from './messages.ts'
import type { Payment, Refund } from './payment.ts'
import type { Entry, EntryDraft } from './timeline.ts'
import type { Totals } from './totals.ts'

export type OrderStatus =
  | 'pending_payment'
  | 'paid'
  | 'partly_fulfilled'
  | 'fulfilled'
  | 'delivered'
  | 'cancelled'
  | 'refunded'

export type Address = {
  name: string
  line1: string
  line2?: string
  postalCode: string
  city: string
  region?: string
  country: string
}

export type LineQuantity = { variantId: string; quantity: number }

export type OrderLine = LineQuantity & {
  productId: string
  sku: string
  title: string
  variantTitle: string
  unitPrice: Money
}

export type Fulfilment = {
  id: string
  lines: readonly LineQuantity[]
  carrier: string | null
  trackingNumber: string | null
  at: Date
  deliveredAt: Date | null
}

export type Order = {
  id: string
  /** The number of the last entry of its time-line. */
  version: number
  status: OrderStatus
  cartId: string
  /** Null for a guest. */
  customerId: string | null
  email: string | null
  shippingAddress: Address
  /** What was bought, at the price of the moment: never changed afterwards. */
  lines: readonly OrderLine[]
  totals: Totals
  payment: Payment
  fulfilments: readonly Fulfilment[]
  refunds: readonly Refund[]
  placedAt: Date
  /** From here on the order can only end cancelled, whatever the provider still says. */
  cancellation: { requestedAt: Date; reason: string | null } | null
}

export type Actor = {
  kind: 'shopper' | 'staff' | 'provider' | 'system'
  subjectId: string | null
}

/** When something happens, who does it, what brought it about, and ids for what tells of it. */
export type Moment = {
  at: Date
  actor: Actor
  /** `event:evt_…`, `return`, `key:…`, `job:…`; null when nothing but the actor is known. */
  cause: string | null
  newId: () => string
}

/** The order afterwards (the same object when nothing changes), what to tell, and the answer. */
export type Decision<Outcome = undefined> = {
  order: Order
  entries: readonly Entry[]
  messages: readonly OutgoingMessage[]
  outcome: Outcome
}

export type NewOrder = Pick<
  Order,
  'id' | 'cartId' | 'customerId' | 'email' | 'shippingAddress' | 'lines' | 'totals'
> & { payment: Pick<Payment, 'id' | 'method' | 'redirectUrl' | 'expiresAt'> }

export function place(draft: NewOrder, moment: Moment): Decision {
  const order: Order = {
    ...draft,
    version: 0,
    status: 'pending_payment',
    payment: { ...draft.payment, revision: 0, phase: 'open', capturedMinor: 0, disputes: [] },
    fulfilments: [],
    refunds: [],
    placedAt: moment.at,
    cancellation: null,
  }
  const lines = order.lines.map(({ variantId, quantity }) => ({ variantId, quantity }))
  const { total } = order.totals
  const details = { lines, total, method: order.payment.method }
  const placed = record(order, [{ what: 'placed', details }], moment)
  return { ...placed, messages: [tell(orderPlaced, placed.order, moment)] }
}

/** The order as it is now with what happened to it; each entry is a version. */
export function record(
  order: Order,
  drafts: readonly EntryDraft[],
  { at, actor, cause }: Moment,
): Decision {
  const entries = drafts.map(({ what, details }, index) => ({
    seq: order.version + index + 1,
    at,
    actor,
    what,
    status: order.status,
    cause,
    details,
  }))
  const version = order.version + drafts.length
  return { order: { ...order, version }, entries, messages: [], outcome: undefined }
}

export function unchanged(order: Order): Decision {
  return { order, entries: [], messages: [], outcome: undefined }
}

/** Whether it is the caller's own order, or the one that the guest's token is for. */
export function isVisibleTo(
  order: Pick<Order, 'id' | 'customerId'>,
  caller: { subjectId: string; orderId?: string | undefined },
): boolean {
  if (caller.orderId !== undefined) return caller.orderId === order.id
  return order.customerId !== null && order.customerId === caller.subjectId
}

export function orderNotFound(): AppError {
  return new AppError('not-found', 'ORDER_NOT_FOUND', 'There is no such order.')
}

export function paymentDisputed(): AppError {
  return new AppError(
    'conflict',
    'PAYMENT_DISPUTED',
    'The payment is disputed. Nothing is sent or returned until the dispute is over.',
  )
}

export function keyReused(): AppError {
  return new AppError(
    'unprocessable',
    'IDEMPOTENCY_KEY_REUSED',
    'This Idempotency-Key was used for another request.',
    { errors: [{ pointer: '/headers/idempotency-key', detail: 'was used with another body' }] },
  )
}
