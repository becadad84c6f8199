import { type Operations, type Order as OrderView, routes } from '@halles/contracts/gen/http/orders'
import { AppError } from '@halles/kit/errors'
import { type HttpServer, reply, versionEtag } from '@halles/kit/http-server'
import { isUuid } from '@halles/kit/ids'
import { multiplyMoney } from '@halles/kit/money'
import type { Policy } from '@halles/kit/policy'
import { type Caller, requireCaller } from '@halles/kit/tokens'
import type { Order, OrderLine } from './domain/order.ts'
import type { Deps, OrderTokens } from './ports.ts'
import { cancelOrder } from './use-cases/cancel-order.ts'
import { placeOrder } from './use-cases/place-order.ts'
import { listOrders, readOrder } from './use-cases/read-orders.ts'

export { routes }

type EdgeOptions = { deps: Deps; policy: Policy; orderTokens: OrderTokens }

/** Serves the contract `orders`. */
export function serveOrders(server: HttpServer<Operations>, options: EdgeOptions): void {
  const { deps, policy, orderTokens } = options

  server.on('placeOrder', async ({ body, headers, caller }) => {
    const customerId = caller?.subjectId ?? null
    if (customerId === null && body.email === undefined) throw emailRequired()
    const order = await placeOrder(deps, {
      cartId: body.cartId.toLowerCase(),
      email: body.email ?? null,
      shippingAddress: body.shippingAddress,
      expectedTotal: body.expectedTotal,
      idempotencyKey: headers['idempotency-key'],
      customerId,
    })
    const view = toOrderView(order)
    const body201 = customerId === null ? { ...view, accessToken: orderTokens.issue(order) } : view
    const location = `/api/v1/orders/${order.id}`
    return reply(body201, { headers: { etag: versionEtag(order.version), location } })
  })

  server.on('listOrders', async ({ query, caller: maybeCaller }) => {
    const caller = requireCaller(maybeCaller)
    if (query.all) policy.require(caller, 'orders:read')
    const { items, nextId } = await listOrders(deps, {
      customerId: query.all ? undefined : caller.subjectId,
      status: query.status,
      before: parseCursor(query.cursor),
      limit: query.limit,
    })
    return { items: items.map(toSummaryView), nextCursor: nextId ? toCursor(nextId) : null }
  })

  const reader = (caller: Caller | undefined, permission: string) => {
    const known = requireCaller(caller)
    return { caller: known, mayAll: policy.may(known, permission) }
  }

  server.on('getOrder', async ({ params, caller }) => {
    const orderId = params.orderId.toLowerCase()
    return withEtag(await readOrder(deps, orderId, reader(caller, 'orders:read')))
  })

  server.on('cancelOrder', async ({ params, body, caller }) => {
    const orderId = params.orderId.toLowerCase()
    await readOrder(deps, orderId, reader(caller, 'orders:write'))
    return withEtag(await cancelOrder(deps, { orderId, reason: body.reason ?? null }))
  })
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

function withEtag(order: Order) {
  return reply(toOrderView(order), { headers: { etag: versionEtag(order.version) } })
}

function toOrderView(order: Order): OrderView {
  const { id, status, customerId, email, shippingAddress, total, payment, version } = order
  return {
    id,
    status,
    customerId,
    email,
    shippingAddress,
    lines: order.lines.map(toLineView),
    total,
    payment: {
      status: payment.status,
      redirectUrl: status === 'pending_payment' ? payment.redirectUrl : null,
    },
    placedAt: order.placedAt.toISOString(),
    version,
  }
}

function toLineView(line: OrderLine) {
  return { ...line, total: multiplyMoney(line.unitPrice, line.quantity) }
}

function toSummaryView({ id, status, total, lines, placedAt }: Order) {
  return { id, status, total, lineCount: lines.length, placedAt: placedAt.toISOString() }
}
