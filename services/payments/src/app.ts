import type { Operations } from '@halles/contracts/gen/http/payments'
import { topics } from '@halles/contracts/gen/topics'
import { uuidv7 } from '@halles/kit/ids'
import type { App } from '@halles/kit/lifecycle'
import { createRuntime, openDatabase, openGrpcServer, openHttpServer } from '@halles/kit/runtime'
import { createOrdersClient } from './clients.ts'
import type { Config } from './config.ts'
import { paymentsService } from './grpc.ts'
import { routes, servePayments } from './http.ts'
import type { Deps } from './ports.ts'
import { createEventStore } from './store/events.ts'
import { createPaymentStore } from './store/payments.ts'
import { createStripeProvider } from './stripe.ts'

export type PaymentsApp = App & { httpPort(): number; grpcPort(): number }

/** Connects the service; nothing happens before `start`. */
export function createApp(config: Config): PaymentsApp {
  const service = 'payments'
  const runtime = createRuntime({ service, config, topics })
  const { logger, metrics, lifecycle } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    migrations: new URL('../migrations', import.meta.url),
  })
  const orders = createOrdersClient({ ...config, metrics })
  const provider = createStripeProvider({
    apiKey: config.stripeApiKey,
    webhookSecrets: config.stripeWebhookSecrets,
    apiBase: config.stripeApiBase,
    publicUrl: config.publicUrl,
  })
  const deps: Deps = {
    provider,
    orders,
    payments: createPaymentStore(database),
    events: createEventStore(database),
    newId: uuidv7,
    log: logger,
  }
  const http = openHttpServer<Operations>(runtime, { routes })
  servePayments(http, deps)
  const grpc = openGrpcServer(runtime, [paymentsService(deps)])
  lifecycle.add({ name: 'orders client', stop: async () => orders.close() })
  lifecycle.add({ name: 'provider', stop: async () => provider.close() })
  lifecycle.add(grpc)
  lifecycle.add(http)
  return { start: lifecycle.start, stop: lifecycle.stop, httpPort: http.port, grpcPort: grpc.port }
}
