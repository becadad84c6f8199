import type { OrdersServiceRpcs } from '@halles/contracts/gen/grpc/orders'
import type { PaymentsServiceRpcs } from '@halles/contracts/gen/grpc/payments'
import type { ProductsServiceRpcs } from '@halles/contracts/gen/grpc/products'
import { AppError } from '@halles/kit/errors'
import type { GrpcService } from '@halles/kit/grpc-server'
import { uuidv7 } from '@halles/kit/ids'
import type { Handler } from '@halles/kit/messaging'
import { createMetrics } from '@halles/kit/metrics'
import { toPayments, toProducts } from '../../services/orders/src/clients.ts'
import type { Order } from '../../services/orders/src/domain/order.ts'
import { createTotals } from '../../services/orders/src/domain/totals.ts'
import { ordersService } from '../../services/orders/src/grpc.ts'
import type { OrderStore, Deps as OrdersDeps } from '../../services/orders/src/ports.ts'
import { createCheckoutStore } from '../../services/orders/src/store/checkouts.ts'
import { createOrderStore } from '../../services/orders/src/store/orders.ts'
import { createUnfinishedStore } from '../../services/orders/src/store/unfinished.ts'
import { createBankTransfer } from '../../services/payments/src/bank-transfer.ts'
import type { CaptureMethod } from '../../services/payments/src/domain/payment.ts'
import { paymentsService } from '../../services/payments/src/grpc.ts'
import type { Deps as PaymentsDeps } from '../../services/payments/src/ports.ts'
import { toStateMessage } from '../../services/payments/src/state-message.ts'
import { createEventStore } from '../../services/payments/src/store/events.ts'
import { createFindingStore } from '../../services/payments/src/store/findings.ts'
import { createPaymentStore } from '../../services/payments/src/store/payments.ts'
import { createStripeProvider } from '../../services/payments/src/stripe/provider.ts'
import { consumeOrders } from '../../services/products/src/consumers.ts'
import { productsService } from '../../services/products/src/grpc.ts'
import type { Deps as ProductsDeps } from '../../services/products/src/ports.ts'
import { createCatalogue } from '../../services/products/src/store/catalogue.ts'
import { createProductStore } from '../../services/products/src/store/products.ts'
import { createReservationStore } from '../../services/products/src/store/reservations.ts'
import type { Carts } from './carts.ts'
import type { Clock, TimedDatabase } from './clock.ts'
import { apiKey, webhookSecret } from './provider.ts'
import type { Schedule } from './schedule.ts'

export type Databases = Record<'orders' | 'payments' | 'products', TimedDatabase>

/** What takes the place of a port, to plant a bug. */
export type Sabotage = {
  orders?: (deps: OrdersDeps, world: { carts: Carts }) => OrdersDeps
  payments?: (deps: PaymentsDeps) => PaymentsDeps
}

export type Connected = {
  schedule: Schedule
  clock: Clock
  databases: Databases
  providerUrl: string
  carts: Carts
}

type Composing = {
  captureMethod: CaptureMethod
  sabotage: Sabotage
  /** Sees each state that an order has been saved with. */
  onOrder: (order: Order) => void
}

export type Services = ReturnType<typeof connectServices>

/**
 * Orders, payments and products with their own use cases, rules, stores and edges. Instead of by gRPC
 * they call each other step by step ({@link createSchedule}).
 */
export function connectServices(connected: Connected) {
  const { schedule, clock, databases, carts } = connected
  const stores = openStores(databases)
  const stripe = createStripeProvider({
    apiKey,
    webhookSecrets: [webhookSecret],
    apiBase: connected.providerUrl,
    publicUrl: 'https://shop.example',
  })
  const { verifyEvent, readEvent, close, ...remote } = stripe
  const common = { clock: () => new Date(clock.now()), newId: uuidv7, log: quiet }
  const shortfall = { pieces: 0 }

  const products: Pick<
    ProductsDeps,
    'products' | 'catalogue' | 'reservations' | 'clock' | 'newId'
  > = {
    ...common,
    catalogue: stores.catalogue,
    products: schedule.gate('products', stores.products),
    reservations: schedule.gate('reservations', stores.reservations),
  }
  const productsEdge = productsService(
    products as ProductsDeps,
    createMetrics({ service: 'products' }),
  )
  const consume = consumerOf(products as ProductsDeps, shortfall)

  /** The services of one history. */
  function compose(options: Composing) {
    const { captureMethod, sabotage, onOrder } = options
    shortfall.pieces = 0
    const own: PaymentsDeps = {
      ...common,
      captureMethod,
      providers: {
        stripe: { ...schedule.gate('provider', remote), verifyEvent, readEvent },
        'bank-transfer': createBankTransfer({ publicUrl: 'https://shop.example' }),
      },
      payments: schedule.gate('payments', stores.payments),
      events: schedule.gate('events', stores.events),
      findings: schedule.gate('findings', stores.findings),
      orders: {
        async settlePayment(payment, cause) {
          const request = { orderId: payment.orderId, cause, state: toStateMessage(payment) }
          const { settlement } = await overWire<OrdersServiceRpcs>(
            schedule,
            'orders',
            ordersEdge,
          ).settlePayment(request)
          return settlements[settlement] ?? 'duplicate'
        },
      },
    }
    const payments = sabotage.payments?.(own) ?? own
    const paymentsEdge = paymentsService(payments)
    const wire = {
      payments: toPayments(overWire<PaymentsServiceRpcs>(schedule, 'payments', paymentsEdge)),
      products: toProducts(overWire<ProductsServiceRpcs>(schedule, 'products', productsEdge)),
    }
    const ordersOwn: OrdersDeps = {
      ...common,
      ...wire,
      carts: schedule.gate('carts', { getLines: async (cartId: string) => carts.linesOf(cartId) }),
      orders: watched(schedule.gate('orders', stores.orders), onOrder),
      checkouts: schedule.gate('checkouts', stores.checkouts),
      unfinished: stores.unfinished,
      totalsOf,
      pause: (ms) => schedule.step(`pause ${ms}`, () => clock.advance(ms)),
      // Nobody's lease runs out while the clock stands still.
      repeat: () => () => undefined,
    }
    const orders = sabotage.orders?.(ordersOwn, { carts }) ?? ordersOwn
    const ordersEdge = ordersService(orders)
    return { orders, payments, products, consume, shortfall }
  }
  return { compose, stores, close }
}

function watched(store: OrderStore, onOrder: (order: Order) => void): OrderStore {
  return {
    ...store,
    async update(orderId, decide) {
      const updated = await store.update(orderId, decide)
      if (updated) onOrder(updated.order)
      return updated
    },
  }
}

export const totalsOf = createTotals({
  shipping: [{ rule: 'free-over', currency: 'EUR', amountMinor: 490, freeFromMinor: 5_000 }],
  taxRates: { FR: 2_000 },
})

const settlements: Readonly<Record<string, 'applied' | 'duplicate' | 'refund-due'>> = {
  SETTLEMENT_APPLIED: 'applied',
  SETTLEMENT_DUPLICATE: 'duplicate',
  SETTLEMENT_REFUND_DUE: 'refund-due',
}
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined }

function openStores(databases: Databases) {
  const orders = createOrderStore(databases.orders.database)
  return {
    orders,
    checkouts: createCheckoutStore(databases.orders.database, { orders }),
    unfinished: createUnfinishedStore(databases.orders.database),
    payments: createPaymentStore(databases.payments.database),
    events: createEventStore(databases.payments.database),
    findings: createFindingStore(databases.payments.database),
    catalogue: createCatalogue(databases.products.database),
    products: createProductStore(databases.products.database),
    reservations: createReservationStore(databases.products.database),
  }
}

type Rpcs<R> = { [Name in keyof R]: { request: unknown; reply: unknown } }

/** A client of a service's gRPC edge. */
function overWire<R extends Rpcs<R>>(
  schedule: Schedule,
  service: 'orders' | 'payments' | 'products',
  { handlers }: GrpcService,
): { [Name in keyof R]: (request: R[Name]['request']) => Promise<R[Name]['reply']> } {
  const methods = Object.entries(handlers).map(([name, handler]) => [
    name,
    (request: unknown) => schedule.call(service, name, () => handler(request, undefined as never)),
  ])
  return Object.fromEntries(methods)
}

function consumerOf(products: ProductsDeps, shortfall: { pieces: number }): Handler {
  let handler: Handler | undefined
  const messaging = {
    subscribeTopic: (topic: { handler: Handler }) => {
      handler = topic.handler
    },
  }
  const metrics = {
    counter: () => ({
      inc: (by: number) => {
        shortfall.pieces += by
      },
    }),
  }
  consumeOrders(messaging as never, products, { logger: quiet as never, metrics: metrics as never })
  if (!handler) throw new AppError('internal', 'NO_CONSUMER', 'Products follow no topic.')
  return handler
}
