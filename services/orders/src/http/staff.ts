import type { Operations } from '@halles/contracts/gen/http/orders'
import { type HttpServer, reply, versionEtag } from '@halles/kit/http-server'
import { requireCaller } from '@halles/kit/tokens'
import { derivedId } from '../derived-ids.ts'
import type { Actor, LineQuantity, Order } from '../domain/order.ts'
import type { Deps } from '../ports.ts'
import { recordReceipt } from '../use-cases/check-payment.ts'
import { fulfilOrder, recordDelivery } from '../use-cases/fulfil-order.ts'
import {
  listUnfinished,
  type Reader,
  readOrder,
  summarizeOrders,
} from '../use-cases/read-orders.ts'
import { refundOrder } from '../use-cases/refund-order.ts'
import { resumeOrder } from '../use-cases/resume-order.ts'
import { toOrderView, toSummariesView, toUnfinishedView } from './views.ts'

/** What staff do with orders; the routes ask for the permission. */
export function serveStaff(server: HttpServer<Operations>, { deps }: { deps: Deps }): void {
  server.on('fulfilOrder', async ({ params, body, headers, caller }) => {
    const { actor, reader } = staff(requireCaller(caller))
    const order = await readOrder(deps, params.orderId.toLowerCase(), reader)
    const key = headers['idempotency-key']
    const fulfilment = {
      id: derivedId('fulfilment', order.id, key),
      lines: body.lines.map(normalised),
      carrier: body.carrier ?? null,
      trackingNumber: body.trackingNumber ?? null,
    }
    return created(await fulfilOrder(deps, { order, fulfilment, actor, cause: `key:${key}` }))
  })

  server.on('recordDelivery', async ({ params, caller }) => {
    const { actor } = staff(requireCaller(caller))
    const orderId = params.orderId.toLowerCase()
    const fulfilmentId = params.fulfilmentId.toLowerCase()
    return withEtag(await recordDelivery(deps, { orderId, fulfilmentId, actor }))
  })

  server.on('refundOrder', async ({ params, body, headers, caller }) => {
    const { actor } = staff(requireCaller(caller))
    const orderId = params.orderId.toLowerCase()
    const key = headers['idempotency-key']
    const refund = {
      id: derivedId('refund', orderId, key),
      lines: (body.lines ?? []).map(normalised),
      amount: body.amount,
      isReturned: body.isReturned ?? false,
      reason: body.reason ?? null,
    }
    return created(await refundOrder(deps, { orderId, refund, actor, cause: `key:${key}` }))
  })

  server.on('recordReceipt', async ({ params, body, caller }) => {
    const { subjectId, reader } = staff(requireCaller(caller))
    const order = await readOrder(deps, params.orderId.toLowerCase(), reader)
    const { amount, reference } = body
    return withEtag(await recordReceipt(deps, { order, amount, reference, subjectId }))
  })

  server.on('summarizeOrders', async ({ query }) => {
    const [from, to] = [new Date(query.from), new Date(query.to)]
    return toSummariesView({ from, to }, await summarizeOrders(deps, { from, to }))
  })

  server.on('resumeOrder', async ({ params, caller }) => {
    const { subjectId: by } = requireCaller(caller)
    return { outcome: await resumeOrder(deps, { orderId: params.orderId.toLowerCase(), by }) }
  })

  server.on('listUnfinishedOrders', async () => ({
    items: (await listUnfinished(deps)).map(toUnfinishedView),
  }))
}

function staff(caller: { subjectId: string }) {
  const { subjectId } = caller
  const actor: Actor = { kind: 'staff', subjectId }
  const reader: Reader = { caller, mayAll: true }
  return { subjectId, actor, reader }
}

function normalised({ variantId, quantity }: LineQuantity): LineQuantity {
  return { variantId: variantId.toLowerCase(), quantity }
}

function created(order: Order) {
  const location = `/api/v1/orders/${order.id}`
  return reply(toOrderView(order), { headers: { etag: versionEtag(order.version), location } })
}

export function withEtag(order: Order) {
  return reply(toOrderView(order), { headers: { etag: versionEtag(order.version) } })
}
