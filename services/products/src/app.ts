import type { Operations } from '@halles/contracts/gen/http/products'
import { topics } from '@halles/contracts/gen/topics'
import { uuidv7 } from '@halles/kit/ids'
import { inboxSchema } from '@halles/kit/inbox'
import type { App } from '@halles/kit/lifecycle'
import { outboxSchema } from '@halles/kit/outbox'
import { createRuntime, openDatabase, openGrpcServer, openHttpServer } from '@halles/kit/runtime'
import type { Config } from './config.ts'
import { consumeOrders } from './consumers.ts'
import { demoCatalogue } from './demo-catalogue.ts'
import { productsService } from './grpc.ts'
import { routes, serveProducts } from './http/routes.ts'
import { createResizer } from './images/resize.ts'
import { parseCatalogue } from './import/parse.ts'
import { createJobs, createSeeder, type JobTimes } from './jobs.ts'
import type { Deps } from './ports.ts'
import { createCatalogue } from './store/catalogue.ts'
import { createImageStore } from './store/images.ts'
import { createImportStore } from './store/imports.ts'
import { createProductStore } from './store/products.ts'
import { createReservationStore } from './store/reservations.ts'
import { createStaffCatalogue } from './store/staff-catalogue.ts'

export type ProductsApp = App & { httpPort(): number; grpcPort(): number }

/** Connects the service; nothing happens before `start`. */
export function createApp(
  config: Config,
  overrides: { times?: Partial<JobTimes> } = {},
): ProductsApp {
  const service = 'products'
  const runtime = createRuntime({ service, config, topics })
  const { logger, tracer, metrics, messaging, lifecycle } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    migrations: new URL('../migrations', import.meta.url),
    schemas: [outboxSchema, inboxSchema],
  })
  const deps: Deps = {
    catalogue: createCatalogue(database),
    staffCatalogue: createStaffCatalogue(database),
    images: createImageStore(database),
    resizeImage: createResizer(),
    products: createProductStore(database),
    reservations: createReservationStore(database),
    imports: createImportStore(database),
    parse: parseCatalogue,
    clock: () => new Date(),
    newId: uuidv7,
  }
  const jobs = createJobs(deps, { logger, tracer }, overrides.times)
  const http = openHttpServer<Operations>(runtime, { routes })
  const { shopCurrency } = config
  serveProducts(http, { ...deps, shopCurrency, wakeImporter: jobs.wakeImporter })
  const services = [productsService(deps, metrics)]
  const grpc = openGrpcServer(runtime, services)
  consumeOrders(messaging, deps, { logger, metrics })

  if (config.demoCatalogue) lifecycle.add(createSeeder(deps, logger, demoCatalogue))
  for (const job of jobs.parts) lifecycle.add(job)
  lifecycle.add(grpc)
  lifecycle.add(http)
  lifecycle.add(messaging)
  return { start: lifecycle.start, stop: lifecycle.stop, httpPort: http.port, grpcPort: grpc.port }
}
