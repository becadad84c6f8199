import type { Operations } from '@halles/contracts/gen/http/customers'
import { createHttpServer } from '@halles/kit/http-server'
import { uuidv7 } from '@halles/kit/ids'
import type { App } from '@halles/kit/lifecycle'
import { outboxSchema } from '@halles/kit/outbox'
import { createPasswordHasher } from '@halles/kit/passwords'
import { createRuntime, openDatabase } from '@halles/kit/runtime'
import type { Config } from './config.ts'
import { routes, serveCustomers } from './http.ts'
import type { Deps } from './ports.ts'
import { createCustomerStore } from './store.ts'
import { createAdministrator, type FirstAdministrator } from './use-cases.ts'

export type CustomersApp = App & { httpPort(): number }

/** Connects the service; nothing happens before `start`. */
export function createApp(config: Config): CustomersApp {
  const runtime = createRuntime({ service: 'customers', config })
  const { logger, metrics, messaging, tokens, lifecycle } = runtime
  const database = openDatabase(runtime, {
    service: 'customers',
    url: config.databaseUrl,
    migrations: new URL('../migrations', import.meta.url),
    schemas: [outboxSchema],
  })
  const deps: Deps = {
    customers: createCustomerStore(database),
    passwords: createPasswordHasher({
      concurrency: config.hashingConcurrency,
      queueLimit: config.hashingQueueLimit,
    }),
    clock: () => new Date(),
    newId: uuidv7,
    logger,
  }
  const server = createHttpServer<Operations>({
    service: 'customers',
    instance: config.instanceId,
    logger,
    metrics,
    routes,
    host: config.host,
    port: config.port,
    tokens,
    internalSecret: config.internalSecret,
    isReady: lifecycle.isReady,
  })
  serveCustomers(server, deps)

  const administrator = toAdministrator(config)
  if (administrator) {
    lifecycle.add({
      name: 'first administrator',
      start: () => createAdministrator(deps, administrator),
    })
  }
  lifecycle.add({ name: 'http', start: server.start, stop: server.stop })
  lifecycle.add({ name: 'messaging', start: messaging.start, stop: messaging.stop })
  return { start: lifecycle.start, stop: lifecycle.stop, httpPort: server.port }
}

function toAdministrator(config: Config): FirstAdministrator | undefined {
  const { adminSubjectId, adminEmail, adminPassword } = config
  if (adminSubjectId === undefined || adminEmail === undefined || adminPassword === undefined) {
    return undefined
  }
  return { subjectId: adminSubjectId, email: adminEmail, password: adminPassword }
}
