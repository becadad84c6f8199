import * as carts from '@halles/contracts/gen/grpc/carts'
import * as payments from '@halles/contracts/gen/grpc/payments'
import * as products from '@halles/contracts/gen/grpc/products'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { AppError } from '@halles/kit/errors'
import { createGrpcServer, grpcService } from '@halles/kit/grpc-server'
import { uuidv7 } from '@halles/kit/ids'
import { silentLogger } from '@halles/kit/testing'

export const internalSecret = 'an internal secret of more than 32 characters'

/** Carts, products and payments behind their real contracts, on one port. */
export async function startNeighbours() {
  const cartLines = new Map<string, carts.CartLine[]>()
  const owners = new Map<string, string>()
  const stock = new Map<string, { left: number; unitAmountMinor: number }>()
  const reservations = new Map<string, products.RequestedLine[]>()
  const sessions = new Map<string, payments.CreatePaymentRequest & { paymentId: string }>()
  const cancelled: string[] = []
  let isPaymentsDown = false
  const server = createGrpcServer({
    host: '127.0.0.1',
    port: 0,
    logger: silentLogger(),
    internalSecret,
    services: [
      grpcService<carts.CartsServiceRpcs>(
        toServiceDefinition(carts.descriptor, carts.serviceName),
        {
          async getCart({ cartId, subjectId }) {
            const lines = cartLines.get(cartId)
            if (!lines || (owners.get(cartId) ?? '') !== subjectId) {
              throw new AppError('not-found', 'CART_NOT_FOUND', 'There is no such cart.')
            }
            return { cartId, lines }
          },
        },
      ),
      grpcService<products.ProductsServiceRpcs>(
        toServiceDefinition(products.descriptor, products.serviceName),
        {
          async reserveStock({ reservationId, lines }) {
            const quoted = lines.map(({ variantId, quantity }) => {
              const { left = 0, unitAmountMinor = 0 } = stock.get(variantId) ?? {}
              if (!reservations.has(reservationId) && left < quantity) {
                throw new AppError('conflict', 'OUT_OF_STOCK', 'Not enough.', {
                  details: { lines: [{ variantId, requested: quantity, available: left }] },
                })
              }
              return {
                variantId,
                productId: variantId,
                sku: 'LAMP-1',
                title: 'Lamp',
                variantTitle: '',
                quantity,
                unitAmountMinor,
                currency: 'GBP',
              }
            })
            reservations.set(reservationId, lines)
            return { lines: quoted }
          },
          async releaseStock({ reservationId }) {
            reservations.delete(reservationId)
            return {}
          },
        },
      ),
      grpcService<payments.PaymentsServiceRpcs>(
        toServiceDefinition(payments.descriptor, payments.serviceName),
        {
          async createPayment(request) {
            if (isPaymentsDown) throw new AppError('unavailable', 'PROVIDER_UNAVAILABLE', 'Down.')
            const session = sessions.get(request.orderId) ?? { ...request, paymentId: uuidv7() }
            sessions.set(request.orderId, session)
            const { paymentId } = session
            return { paymentId, redirectUrl: `https://pay.example/${paymentId}` }
          },
          async cancelPayment({ orderId }) {
            cancelled.push(orderId)
            return { outcome: 'CANCEL_OUTCOME_CANCELLED' }
          },
        },
      ),
    ],
  })
  await server.start()
  return {
    address: `127.0.0.1:${server.port()}`,
    sessions,
    reservations,
    cancelled,
    setPaymentsDown: (isDown: boolean) => {
      isPaymentsDown = isDown
    },
    /** A cart with two pieces of a new variant that costs 12.50. */
    addCart(owner?: string) {
      const cartId = uuidv7()
      const variantId = uuidv7()
      stock.set(variantId, { left: 10, unitAmountMinor: 1_250 })
      cartLines.set(cartId, [{ variantId, quantity: 2, unitAmountMinor: 1_250, currency: 'GBP' }])
      if (owner) owners.set(cartId, owner)
      return { cartId, variantId }
    },
    emptyCart: (cartId: string) => cartLines.set(cartId, []),
    setStock: (variantId: string, left: number, unitAmountMinor = 1_250) =>
      stock.set(variantId, { left, unitAmountMinor }),
    stop: server.stop,
  }
}
