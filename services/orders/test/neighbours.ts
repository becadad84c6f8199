import * as carts from '@halles/contracts/gen/grpc/carts'
import * as payments from '@halles/contracts/gen/grpc/payments'
import * as products from '@halles/contracts/gen/grpc/products'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { AppError } from '@halles/kit/errors'
import { createGrpcServer, grpcService } from '@halles/kit/grpc-server'
import { uuidv7 } from '@halles/kit/ids'
import { silentLogger } from '@halles/kit/testing'
import type { PaymentState } from '../src/domain/payment.ts'
import { fakePayments } from './fake-payments.ts'

export const internalSecret = 'an internal secret of more than 32 characters'

/** Carts, products and payments behind their real contracts, on one port. */
export async function startNeighbours() {
  const cartLines = new Map<string, carts.CartLine[]>()
  const owners = new Map<string, string>()
  const stock = new Map<string, { left: number; unitAmountMinor: number }>()
  const reservations = new Map<string, products.RequestedLine[]>()
  const sessions = new Map<string, payments.CreatePaymentRequest>()
  const money = fakePayments()
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
            checkUp()
            sessions.set(request.orderId, request)
            const { amountMinor, currency, orderId } = request
            const total = { amountMinor, currency }
            const totals = { subtotal: total, shipping: total, taxIncluded: total, total }
            return money.payments.createPayment({
              orderId,
              email: null,
              lines: [],
              totals,
              method: 'online',
              expiresAt: new Date(),
            })
          },
          async cancelPayment({ orderId }) {
            checkUp()
            cancelled.push(orderId)
            return answer(money.payments.cancelPayment(orderId))
          },
          async capturePayment({ orderId, amountMinor }) {
            checkUp()
            return answer(money.payments.capturePayment(orderId, amountMinor))
          },
          async refundPayment(request) {
            checkUp()
            return answer(money.payments.refundPayment(request))
          },
          async syncPayment({ orderId }) {
            checkUp()
            return answer(money.payments.syncPayment(orderId))
          },
          async recordReceipt(request) {
            checkUp()
            return answer(money.payments.recordReceipt(request))
          },
        },
      ),
    ],
  })
  function checkUp(): void {
    if (isPaymentsDown) throw new AppError('unavailable', 'PROVIDER_UNAVAILABLE', 'Down.')
  }
  await server.start()
  return {
    address: `127.0.0.1:${server.port()}`,
    sessions,
    money,
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

async function answer(state: Promise<PaymentState>) {
  return { state: toMessage(await state) }
}

/** As payments says it over gRPC. */
export function toMessage(state: PaymentState): payments.PaymentState {
  const word = (text: string) => text.toUpperCase()
  return {
    ...state,
    phase: `PAYMENT_PHASE_${word(state.phase)}` as payments.PaymentPhase,
    refunds: state.refunds.map(({ id, isOurs, amountMinor, phase }) => ({
      refundId: isOurs ? id : '',
      providerRefundId: `re_${id}`,
      amountMinor,
      phase: `REFUND_PHASE_${word(phase)}` as payments.RefundPhase,
    })),
    disputes: state.disputes.map(({ id, amountMinor, phase }) => ({
      providerDisputeId: id,
      amountMinor,
      phase: `DISPUTE_PHASE_${word(phase)}` as payments.DisputePhase,
    })),
  }
}
