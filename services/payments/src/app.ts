import type { Operations } from '@halles/contracts/gen/http/payments'
import { topics } from '@halles/contracts/gen/topics'
import { uuidv7 } from '@halles/kit/ids'
import type { App } from '@halles/kit/lifecycle'
import {
  createRuntime,
  openDatabase,
  openGrpcServer,
  openHttpServer,
  type Runtime,
} from '@halles/kit/runtime'
import { createBankTransfer } from './bank-transfer.ts'
import { createOrdersClient } from './clients.ts'
import type { Config } from './config.ts'
import { findingKinds } from './domain/findings.ts'
import { paymentsService } from './grpc.ts'
import { routes, servePayments } from './http.ts'
import { createJobs, type JobTimes } from './jobs.ts'
import type { Deps, FindingStore } from './ports.ts'
import { createEventStore } from './store/events.ts'
import { createFindingStore } from './store/findings.ts'
import { createPaymentStore } from './store/payments.ts'
import { createStripeProvider } from './stripe/provider.ts'

export type PaymentsApp = App & { httpPort(): number; grpcPort(): number }

/** Connects the service; nothing happens before `start`. */
export function createApp(
  config: Config,
  overrides: { times?: Partial<JobTimes> } = {},
): PaymentsApp {
  const service = 'payments'
  const runtime = createRuntime({ service, config, topics })
  const { logger, lifecycle, metrics, tracer } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    migrations: new URL('../migrations', import.meta.url),
  })
  const orders = createOrdersClient({ ...config, metrics, logger })
  const stripe = createStripeProvider({
    apiKey: config.stripeApiKey,
    webhookSecrets: config.stripeWebhookSecrets,
    apiBase: config.stripeApiBase,
    publicUrl: config.publicUrl,
  })
  const deps: Deps = {
    providers: { stripe, 'bank-transfer': createBankTransfer(config) },
    orders,
    payments: createPaymentStore(database),
    events: createEventStore(database),
    findings: createFindingStore(database),
    captureMethod: config.captureMethod,
    clock: () => new Date(),
    newId: uuidv7,
    log: logger,
  }
  measureFindings(runtime, deps.findings)
  const http = openHttpServer<Operations>(runtime, { routes })
  servePayments(http, deps, runtime.metrics)
  const grpc = openGrpcServer(runtime, [paymentsService(deps)])
  lifecycle.add({ name: 'orders client', start: orders.start, stop: orders.close })
  lifecycle.add({ name: 'provider', stop: async () => stripe.close() })
  for (const job of createJobs(deps, { logger, tracer }, overrides.times)) lifecycle.add(job)
  lifecycle.add(grpc)
  lifecycle.add(http)
  return { start: lifecycle.start, stop: lifecycle.stop, httpPort: http.port, grpcPort: grpc.port }
}

function measureFindings({ metrics, logger }: Runtime, findings: FindingStore): void {
  metrics.gauge({
    name: 'payments_findings',
    help: 'Differences between the provider and us that a person has to look at.',
    labels: ['kind'],
    async collect(gauge) {
      try {
        const counts = await findings.count()
        for (const kind of findingKinds) gauge.set({ kind }, counts.get(kind) ?? 0)
      } catch (error) {
        // The other measurements are wanted all the more while the database is away.
        gauge.reset()
        logger.warn({ error }, 'The findings could not be counted.')
      }
    },
  })
}
