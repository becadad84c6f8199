import type { Order } from '../../services/orders/src/domain/order.ts'
import type { Sabotage } from './services.ts'

/** The event counts as done before anything was done: a failure afterwards is never made good. */
export const dedupeBeforeEffect: Sabotage = {
  payments: (deps) => ({
    ...deps,
    events: {
      ...deps.events,
      async receive(event) {
        const earlier = await deps.events.receive(event)
        if (!earlier) await deps.events.conclude(event.id, { outcome: 'applied' }, null)
        return earlier
      },
    },
  }),
}

/** A refund is decided on the order as it was read, and then written, without a lock in between. */
export const refundWithoutLock: Sabotage = {
  orders: (deps) => ({
    ...deps,
    orders: {
      ...deps.orders,
      async update(orderId, decide) {
        const read = await deps.orders.find(orderId)
        const decision = read && decide(read)
        const added = decision?.order.refunds.find(
          ({ id, status }) =>
            status === 'requested' && !read?.refunds.some((known) => known.id === id),
        )
        if (!decision || !added) return deps.orders.update(orderId, decide)
        return deps.orders.update(orderId, (newest) => {
          const version = newest.version + decision.entries.length
          const order: Order = { ...newest, version, refunds: [...newest.refunds, added] }
          const entries = decision.entries.map((entry, index) => ({
            ...entry,
            seq: newest.version + index + 1,
            status: newest.status,
          }))
          return { ...decision, order, entries }
        })
      },
    },
  }),
}

/** The shop believes the price that the cart shows. */
export const priceFromCart: Sabotage = {
  orders: (deps, { carts }) => ({
    ...deps,
    products: {
      ...deps.products,
      async reserveStock(request) {
        const lines = await deps.products.reserveStock(request)
        return lines.map((line) => ({
          ...line,
          unitPrice: { ...line.unitPrice, amountMinor: carts.priceShown(line.variantId) },
        }))
      },
    },
  }),
}
