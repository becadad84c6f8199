import { setTimeout as pause } from 'node:timers/promises'
import type { Operations } from '@halles/contracts/gen/http/orders'
import { topics } from '@halles/contracts/gen/topics'
import { uuidv7 } from '@halles/kit/ids'
import type { App } from '@halles/kit/lifecycle'
import { outboxSchema } from '@halles/kit/outbox'
import { createRuntime, openDatabase, openGrpcServer, openHttpServer } from '@halles/kit/runtime'
import { createNeighbours } from './clients.ts'
import type { Config } from './config.ts'
import { createTotals } from './domain/totals.ts'
import { ordersService } from './grpc.ts'
import { routes, serveOrders } from './http/routes.ts'
import { createJobs, type JobTimes } from './jobs.ts'
import { createOrderTokens } from './order-tokens.ts'
import type { Deps } from './ports.ts'
import { createCheckoutStore } from './store/checkouts.ts'
import { createOrderStore } from './store/orders.ts'
import { createUnfinishedStore } from './store/unfinished.ts'

export type OrdersApp = App & { httpPort(): number; grpcPort(): number }

/** Connects the service; nothing happens before `start`. */
export function createApp(
  config: Config,
  overrides: { times?: Partial<JobTimes> } = {},
): OrdersApp {
  const service = 'orders'
  const runtime = createRuntime({ service, config, topics })
  const { logger, metrics, tracer, policy, lifecycle } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    migrations: new URL('../migrations', import.meta.url),
    schemas: [outboxSchema],
  })
  const { carts, products, payments, ...neighbours } = createNeighbours({
    ...config,
    metrics,
    logger,
  })
  const orders = createOrderStore(database)
  const deps: Deps = {
    carts,
    products,
    payments,
    orders,
    checkouts: createCheckoutStore(database, { orders }),
    unfinished: createUnfinishedStore(database),
    totalsOf: createTotals({ shipping: config.shippingRules, taxRates: config.taxRates }),
    clock: () => new Date(),
    newId: uuidv7,
    pause: async (ms) => pause(ms),
    repeat(everyMs, work) {
      const timer = setInterval(() => {
        work().catch((error: unknown) => logger.warn({ err: error }, 'a repetition failed'))
      }, everyMs)
      return () => clearInterval(timer)
    },
    log: logger,
  }
  const http = openHttpServer<Operations>(runtime, { routes })
  serveOrders(http, { deps, policy, orderTokens: createOrderTokens(config.orderTokenSecret) })
  const grpc = openGrpcServer(runtime, [ordersService(deps)])
  lifecycle.add({ name: 'neighbours', start: neighbours.start, stop: neighbours.close })
  for (const job of createJobs(deps, { logger, metrics, tracer }, overrides.times))
    lifecycle.add(job)
  lifecycle.add(grpc)
  lifecycle.add(http)
  lifecycle.add(runtime.messaging)
  return { start: lifecycle.start, stop: lifecycle.stop, httpPort: http.port, grpcPort: grpc.port }
}
