import * as cartsContract from '@halles/contracts/gen/grpc/carts'
import * as paymentsContract from '@halles/contracts/gen/grpc/payments'
import * as productsContract from '@halles/contracts/gen/grpc/products'
import { toServiceDefinition } from '@halles/contracts/grpc'
import { AppError } from '@halles/kit/errors'
import { createGrpcClient } from '@halles/kit/grpc-client'
import type { Logger } from '@halles/kit/logging'
import type { Metrics } from '@halles/kit/metrics'
import { toPaymentState } from './payment-states.ts'
import type { Carts, PaymentRequest, Payments, Products } from './ports.ts'

export type Neighbours = {
  carts: Carts
  products: Products
  payments: Payments
  /** Begins to follow where they are and how they fare. */
  start(): Promise<void>
  close(): Promise<void>
}

type NeighbourOptions = {
  cartsGrpc: readonly string[]
  productsGrpc: readonly string[]
  paymentsGrpc: readonly string[]
  internalSecret: string
  metrics: Metrics
  logger: Logger
}

// A read of one row, and one locked step on a few: both well under this even on a busy machine.
const fastDeadlineMs = 2_000
// Contains a call to the provider with one retry; a little more than payments gives those.
const paymentDeadlineMs = 8_000

/** The other services that orders asks, over gRPC. */
export function createNeighbours(options: NeighbourOptions): Neighbours {
  const { internalSecret, metrics, logger } = options
  const common = { internalSecret, metrics, logger, caller: 'orders', probing: {} }
  const carts = createGrpcClient<cartsContract.CartsServiceRpcs>({
    ...common,
    name: 'carts',
    addresses: options.cartsGrpc,
    definition: toServiceDefinition(cartsContract.descriptor, cartsContract.serviceName),
    defaultDeadlineMs: fastDeadlineMs,
  })
  const products = createGrpcClient<productsContract.ProductsServiceRpcs>({
    ...common,
    name: 'products',
    addresses: options.productsGrpc,
    definition: toServiceDefinition(productsContract.descriptor, productsContract.serviceName),
    defaultDeadlineMs: fastDeadlineMs,
  })
  const payments = createGrpcClient<paymentsContract.PaymentsServiceRpcs>({
    ...common,
    name: 'payments',
    addresses: options.paymentsGrpc,
    definition: toServiceDefinition(paymentsContract.descriptor, paymentsContract.serviceName),
    defaultDeadlineMs: paymentDeadlineMs,
  })
  return {
    carts: toCarts(carts),
    products: toProducts(products),
    payments: toPayments(payments),
    async start() {
      await Promise.all([carts.start(), products.start(), payments.start()])
    },
    async close() {
      await Promise.all([carts.close(), products.close(), payments.close()])
    },
  }
}

type Client<Rpcs extends { [Name in keyof Rpcs]: { request: unknown; reply: unknown } }> = {
  [Name in keyof Rpcs]: (request: Rpcs[Name]['request']) => Promise<Rpcs[Name]['reply']>
}

function toCarts(client: Client<cartsContract.CartsServiceRpcs>): Carts {
  return {
    async getLines(cartId, subjectId) {
      const { lines } = await client.getCart({ cartId, subjectId: subjectId ?? '' }).catch(inBody)
      return lines.map(({ variantId, quantity, unitAmountMinor, currency }) => ({
        variantId,
        quantity,
        unitPrice: { amountMinor: unitAmountMinor, currency },
      }))
    },
  }
}

/** The cart is a field of the shopper's request. */
function inBody(error: unknown): never {
  if (!(error instanceof AppError) || error.code !== 'CART_NOT_FOUND') throw error
  throw new AppError(error.kind, error.code, error.message, {
    errors: [{ pointer: '/body/cartId', detail: 'is not a cart of yours' }],
    cause: error,
  })
}

/** The port on whatever carries the calls. */
export function toProducts(client: Client<productsContract.ProductsServiceRpcs>): Products {
  return {
    async reserveStock({ orderId, lines, ttlSeconds }) {
      const reply = await client.reserveStock({
        reservationId: orderId,
        lines: lines.map(({ variantId, quantity }) => ({ variantId, quantity })),
        ttlSeconds,
      })
      return reply.lines.map(({ unitAmountMinor, currency, ...line }) => ({
        ...line,
        unitPrice: { amountMinor: unitAmountMinor, currency },
      }))
    },
    async releaseStock(orderId) {
      await client.releaseStock({ reservationId: orderId })
    },
  }
}

const methods = {
  online: 'PAYMENT_METHOD_ONLINE',
  bank_transfer: 'PAYMENT_METHOD_BANK_TRANSFER',
} as const

/** The same of payments. */
export function toPayments(client: Client<paymentsContract.PaymentsServiceRpcs>): Payments {
  const stateOf = async (answer: Promise<{ state?: paymentsContract.PaymentState | undefined }>) =>
    toPaymentState((await answer).state)
  return {
    createPayment: ({ orderId, email, totals, method, expiresAt, ...request }) =>
      client.createPayment({
        orderId,
        email: email ?? '',
        lines: toPaymentLines({ totals, lines: request.lines }),
        amountMinor: totals.total.amountMinor,
        currency: totals.total.currency,
        expiresAtSeconds: Math.floor(expiresAt.getTime() / 1_000),
        method: methods[method],
      }),
    cancelPayment: (orderId) => stateOf(client.cancelPayment({ orderId })),
    capturePayment: (orderId, amountMinor) =>
      stateOf(client.capturePayment({ orderId, amountMinor })),
    refundPayment: ({ reason, ...refund }) =>
      stateOf(client.refundPayment({ ...refund, reason: reason ?? '' })),
    syncPayment: (orderId) => stateOf(client.syncPayment({ orderId })),
    recordReceipt: (receipt) => stateOf(client.recordReceipt(receipt)),
  }
}

/** What the shopper sees at the provider: the lines and the shipping add up to the amount. */
function toPaymentLines({ lines, totals }: Pick<PaymentRequest, 'lines' | 'totals'>) {
  const goods = lines.map(({ title, variantTitle, quantity, unitPrice }) => ({
    title: variantTitle === '' ? title : `${title} (${variantTitle})`,
    quantity,
    unitAmountMinor: unitPrice.amountMinor,
  }))
  const { amountMinor } = totals.shipping
  if (amountMinor === 0) return goods
  return [...goods, { title: 'Shipping', quantity: 1, unitAmountMinor: amountMinor }]
}
