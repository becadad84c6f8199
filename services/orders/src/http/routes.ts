import { type Operations, routes } from '@halles/contracts/gen/http/orders'
import { AppError } from '@halles/kit/errors'
import { type HttpServer, reply, versionEtag } from '@halles/kit/http-server'
import { isUuid } from '@halles/kit/ids'
import type { Policy } from '@halles/kit/policy'
import { type Caller, requireCaller } from '@halles/kit/tokens'
import { type Actor, isVisibleTo, type Order } from '../domain/order.ts'
import type { Deps, OrderTokens } from '../ports.ts'
import { cancelOrder } from '../use-cases/cancel-order.ts'
import { checkPayment } from '../use-cases/check-payment.ts'
import { placeOrder } from '../use-cases/place-order.ts'
import { quoteOrder } from '../use-cases/quote-order.ts'
import { listOrders, readOrder, readTimeline } from '../use-cases/read-orders.ts'
import { serveStaff, withEtag } from './staff.ts'
import { toEntryView, toOrderView, toSummaryView } from './views.ts'

export { routes }

type EdgeOptions = { deps: Deps; policy: Policy; orderTokens: OrderTokens }

/** Serves the contract `orders`. */
export function serveOrders(server: HttpServer<Operations>, options: EdgeOptions): void {
  serveCheckout(server, options)
  serveReaders(server, options)
  serveStaff(server, options)
}

function serveCheckout(server: HttpServer<Operations>, { deps, orderTokens }: EdgeOptions): void {
  server.on('quoteOrder', ({ body, caller }) =>
    quoteOrder(deps, {
      cartId: body.cartId.toLowerCase(),
      customerId: caller?.subjectId ?? null,
      country: body.country,
    }),
  )

  server.on('placeOrder', async ({ body, headers, caller }) => {
    const customerId = caller?.subjectId ?? null
    if (customerId === null && body.email === undefined) throw emailRequired()
    const order = await placeOrder(deps, {
      cartId: body.cartId.toLowerCase(),
      email: body.email ?? null,
      shippingAddress: body.shippingAddress,
      expectedTotal: body.expectedTotal,
      paymentMethod: body.paymentMethod ?? 'online',
      idempotencyKey: headers['idempotency-key'],
      customerId,
    })
    const view = toOrderView(order)
    const body201 = customerId === null ? { ...view, accessToken: orderTokens.issue(order) } : view
    const location = `/api/v1/orders/${order.id}`
    return reply(body201, { headers: { etag: versionEtag(order.version), location } })
  })
}

function serveReaders(server: HttpServer<Operations>, { deps, policy }: EdgeOptions): void {
  const reader = (caller: Caller | undefined, permission: string) => {
    const known = requireCaller(caller)
    return { caller: known, mayAll: policy.may(known, permission) }
  }

  server.on('listOrders', async ({ query, caller: maybeCaller }) => {
    const caller = requireCaller(maybeCaller)
    if (query.all) policy.require(caller, 'orders:read')
    const { items, nextId } = await listOrders(deps, {
      customerId: query.all ? query.customerId?.toLowerCase() : caller.subjectId,
      status: query.status,
      text: query.q,
      from: toDate(query.from),
      to: toDate(query.to),
      minTotalMinor: query.minTotal,
      before: parseCursor(query.cursor),
      limit: query.limit,
    })
    return { items: items.map(toSummaryView), nextCursor: nextId ? toCursor(nextId) : null }
  })

  server.on('getOrder', async ({ params, caller }) => {
    const orderId = params.orderId.toLowerCase()
    return withEtag(await readOrder(deps, orderId, reader(caller, 'orders:read')))
  })

  server.on('getOrderTimeline', async ({ params, caller }) => {
    const who = reader(caller, 'orders:read')
    const entries = await readTimeline(deps, params.orderId.toLowerCase(), who)
    return { items: entries.map(toEntryView(who)) }
  })

  server.on('checkPayment', async ({ params, caller }) => {
    const orderId = params.orderId.toLowerCase()
    const order = await readOrder(deps, orderId, reader(caller, 'orders:write'))
    return withEtag(await checkPayment(deps, order))
  })

  server.on('cancelOrder', async ({ params, body, caller }) => {
    const orderId = params.orderId.toLowerCase()
    const who = reader(caller, 'orders:write')
    const actor = toActor(await readOrder(deps, orderId, who), who.caller)
    return withEtag(await cancelOrder(deps, { orderId, reason: body.reason ?? null, actor }))
  })
}

/** Who does it: the order's own shopper, or else somebody of the staff. */
function toActor(order: Order, caller: Caller): Actor {
  return isVisibleTo(order, caller)
    ? { kind: 'shopper', subjectId: order.customerId }
    : { kind: 'staff', subjectId: caller.subjectId }
}

function toDate(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text)
}

function emailRequired(): AppError {
  return new AppError('invalid', 'INVALID_REQUEST', 'The request has fields that cannot be used.', {
    errors: [{ pointer: '/body/email', detail: 'is required of guests' }],
  })
}

/** The id that the cursor carries. Ids are UUIDv7: their order is the order of time. */
function parseCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined
  const id = Buffer.from(cursor, 'base64url').toString('latin1')
  if (isUuid(id)) return id
  throw new AppError('invalid', 'INVALID_REQUEST', 'The request has fields that cannot be used.', {
    errors: [{ pointer: '/query/cursor', detail: 'is not a cursor of this list' }],
  })
}

function toCursor(id: string): string {
  return Buffer.from(id, 'latin1').toString('base64url')
}
