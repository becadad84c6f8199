import { createHash } from 'node:crypto'
import { AppError } from '@halles/kit/errors'
import {
  type CheckoutRequest,
  checkCart,
  checkCurrency,
  checkoutInProgress,
  checkoutUnavailable,
  checkResumable,
  checkTotal,
  payableUntil,
  type Refusal,
  stockHoldSeconds,
  toError,
  toRefusal,
} from '../domain/checkout.ts'
import { keyReused, type Order, type OrderLine, place } from '../domain/order.ts'
import type { Deps, Lease, NewCheckout } from '../ports.ts'

export type PlaceOrder = CheckoutRequest & {
  idempotencyKey: string
  /** Null for a guest. */
  customerId: string | null
}

/** What a checkout may hold at its neighbours. */
type Held = { stock: boolean; payment: boolean }
type Progress = { lease: Lease; startedAt: Date; held: Held }

// How long a caller waits for the same checkout under way elsewhere: less than the gateway waits.
const waitLimitMs = 8_000
const pollMs = { first: 30, most: 300 }
// A third of the lease: two renewals may fail.
const renewEveryMs = 2_000

/**
 * Checks out a cart: one order and one payment for a key, however often and at how many places at
 * once it is asked for. Every step is idempotent by the order's id, so a checkout that broke off is
 * taken up from its beginning.
 */
export async function placeOrder(deps: Deps, command: PlaceOrder): Promise<Order> {
  const checkout = toCheckout(deps, command)
  const startedAtMs = deps.clock().getTime()
  let lost: Progress | undefined
  for (let pauseMs = pollMs.first; ; pauseMs = Math.min(pauseMs * 2, pollMs.most)) {
    const claim = await deps.checkouts.claim(checkout)
    if (claim.kind === 'placed') return claim.order
    if (claim.kind === 'reused') throw keyReused()
    if (claim.kind === 'refused') {
      // What this call did after it had lost its lease was not undone by whoever refused.
      if (lost) await undoQuietly(deps, lost)
      throw toError(claim.refusal)
    }
    if (claim.kind === 'claimed') {
      const { lease, startedAt, isResumed } = claim
      const progress = { lease, startedAt, held: { stock: isResumed, payment: isResumed } }
      const order = await completeCheckout(deps, command, progress)
      if (order) return order
      lost = progress
    }
    if (deps.clock().getTime() - startedAtMs > waitLimitMs) throw checkoutInProgress()
    await deps.pause(pauseMs)
  }
}

function toCheckout(deps: Deps, command: PlaceOrder): NewCheckout {
  const { idempotencyKey, customerId, ...request } = command
  // The usual method is left out, so that keys of before there were others keep their fingerprint.
  const { paymentMethod, ...rest } = request
  const content = paymentMethod === 'online' ? rest : request
  return {
    orderId: deps.newId(),
    leaseId: deps.newId(),
    scope: customerId === null ? `cart:${request.cartId}` : `subject:${customerId}`,
    idempotencyKey,
    fingerprint: createHash('sha256').update(canonicalJson(content)).digest('base64url'),
    request,
  }
}

/** The same text for the same content, whatever the order of its members. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}

/** The order; undefined when the lease was lost: then somebody else decides how it ends. */
async function completeCheckout(
  deps: Deps,
  command: PlaceOrder,
  progress: Progress,
): Promise<Order | undefined> {
  const stopRenewing = deps.repeat(renewEveryMs, async () => {
    await deps.checkouts.renew(progress.lease)
  })
  try {
    checkResumable(progress.startedAt, deps.clock())
    return await runSteps(deps, command, progress)
  } catch (error) {
    const refusal = toRefusal(error)
    if (refusal && !(await refuse(deps, progress, refusal))) return undefined
    if (!refusal) await releaseLease(deps, progress.lease)
    throw error
  } finally {
    stopRenewing()
  }
}

async function runSteps(
  deps: Deps,
  command: PlaceOrder,
  { lease, startedAt, held }: Progress,
): Promise<Order | undefined> {
  const { orderId } = lease
  const { idempotencyKey, expectedTotal, paymentMethod, ...wish } = command
  const { customerId, email } = wish
  const inCart = await ask('carts', deps.carts.getLines(wish.cartId, customerId))
  checkCart(inCart)
  const ttlSeconds = stockHoldSeconds(paymentMethod)
  const lines = await ask('products', reserve(deps, { orderId, lines: inCart, ttlSeconds, held }))
  checkCurrency(lines, expectedTotal.currency)
  const totals = deps.totalsOf({ lines, country: wish.shippingAddress.country })
  checkTotal({ lines, totals }, inCart, expectedTotal)
  const expiresAt = payableUntil(startedAt, paymentMethod)
  const method = paymentMethod
  held.payment = true
  const { paymentId, redirectUrl } = await ask(
    'payments',
    deps.payments.createPayment({ orderId, email, lines, totals, method, expiresAt }),
  )
  const payment = { id: paymentId, method, redirectUrl, expiresAt }
  const moment = {
    at: deps.clock(),
    actor: { kind: 'shopper', subjectId: customerId },
    cause: `key:${idempotencyKey}`,
    newId: deps.newId,
  } as const
  const decision = place({ ...wish, id: orderId, lines, totals, payment }, moment)
  return (await deps.checkouts.place(lease, decision)) ? decision.order : undefined
}

async function reserve(
  { products }: Deps,
  { held, ...request }: Parameters<Deps['products']['reserveStock']>[0] & { held: Held },
): Promise<OrderLine[]> {
  const wasHeld = held.stock
  held.stock = true
  try {
    return await products.reserveStock(request)
  } catch (error) {
    // A reservation is all or nothing: after a refusal there is nothing to free.
    if (toRefusal(error)) held.stock = wasHeld
    throw error
  }
}

/** Tells what cannot be reached; what a neighbour refuses for good is thrown as it is. */
async function ask<T>(service: string, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw error instanceof AppError && !toRefusal(error)
      ? checkoutUnavailable(service, error)
      : error
  }
}

/** False when the lease was lost. */
async function refuse(deps: Deps, progress: Progress, refusal: Refusal): Promise<boolean> {
  const { lease, held } = progress
  const isHeld = held.stock || held.payment
  // Recorded first, so that a crash between the two is found by the sweeper.
  if (!(await deps.checkouts.refuse(lease, refusal, isHeld))) return false
  if (isHeld) await undoQuietly(deps, progress)
  return true
}

async function undoQuietly(deps: Deps, { lease: { orderId }, held }: Progress): Promise<void> {
  try {
    await undo(deps, orderId, held)
    await deps.checkouts.recordCompensation(orderId)
  } catch (error) {
    deps.log.warn({ error, orderId }, 'A refused checkout is left to the sweeper.')
  }
}

/** Frees what a checkout holds. The payment first: afterwards none can be made for this order. */
export async function undo(deps: Deps, orderId: string, held: Held): Promise<void> {
  if (held.payment) await deps.payments.cancelPayment(orderId)
  if (held.stock) await deps.products.releaseStock(orderId)
}

async function releaseLease({ checkouts, log }: Deps, lease: Lease): Promise<void> {
  try {
    await checkouts.release(lease.leaseId, [lease.orderId])
  } catch (error) {
    // It ends by itself; the caller is told what went wrong before this.
    log.warn({ error, orderId: lease.orderId }, 'The lease of a checkout could not be given back.')
  }
}
