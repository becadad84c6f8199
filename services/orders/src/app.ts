import { setTimeout as pause } from 'node:timers/promises'
import type { Operations } from '@halles/contracts/gen/http/orders'
import { createGrpcServer } from '@halles/kit/grpc-server'
import { createHttpServer } from '@halles/kit/http-server'
import { uuidv7 } from '@halles/kit/ids'
import type { App } from '@halles/kit/lifecycle'
import { outboxSchema } from '@halles/kit/outbox'
import { createRuntime, openDatabase } from '@halles/kit/runtime'
import { createNeighbours } from './clients.ts'
import type { Config } from './config.ts'
import { ordersService } from './grpc.ts'
import { routes, serveOrders } from './http.ts'
import { createJobs, type JobTimes } from './jobs.ts'
import { createOrderTokens } from './order-tokens.ts'
import type { Deps } from './ports.ts'
import { createCheckoutStore } from './store/checkouts.ts'
import { createOrderStore } from './store/orders.ts'

export type OrdersApp = App & { httpPort(): number; grpcPort(): number }

/** Connects the service; nothing happens before `start`. */
export function createApp(
  config: Config,
  overrides: { times?: Partial<JobTimes> } = {},
): OrdersApp {
  const service = 'orders'
  const runtime = createRuntime({ service, config })
  const { logger, metrics, tokens, policy, lifecycle } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    service,
    migrations: new URL('../migrations', import.meta.url),
    schemas: [outboxSchema],
  })
  const { carts, products, payments, close } = createNeighbours({ ...config, metrics })
  const orders = createOrderStore(database)
  const deps: Deps = {
    carts,
    products,
    payments,
    orders,
    checkouts: createCheckoutStore(database, { orders }),
    clock: () => new Date(),
    newId: uuidv7,
    pause: async (ms) => pause(ms),
    log: logger,
  }
  const { host, port, grpcPort = 0, instanceId: instance, internalSecret } = config
  const http = createHttpServer<Operations>({
    service,
    instance,
    logger,
    metrics,
    routes,
    host,
    port,
    tokens,
    policy,
    isReady: lifecycle.isReady,
  })
  serveOrders(http, { deps, policy, orderTokens: createOrderTokens(config.orderTokenSecret) })
  const grpc = createGrpcServer({
    host,
    port: grpcPort,
    logger,
    metrics,
    internalSecret,
    services: [ordersService(deps)],
  })
  lifecycle.add({ name: 'neighbours', stop: async () => close() })
  for (const job of createJobs(deps, logger, overrides.times)) lifecycle.add(job)
  lifecycle.add({ name: 'grpc', start: grpc.start, stop: grpc.stop })
  lifecycle.add({ name: 'http', start: http.start, stop: http.stop })
  lifecycle.add({ name: 'messaging', start: runtime.messaging.start, stop: runtime.messaging.stop })
  return { start: lifecycle.start, stop: lifecycle.stop, httpPort: http.port, grpcPort: grpc.port }
}
