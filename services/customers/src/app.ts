import type { Operations } from '@halles/contracts/gen/http/customers'
import { topics } from '@halles/contracts/gen/topics'
import { uuidv7 } from '@halles/kit/ids'
import type { App } from '@halles/kit/lifecycle'
import { outboxSchema } from '@halles/kit/outbox'
import { createPasswordHasher } from '@halles/kit/passwords'
import { createRuntime, openDatabase, openHttpServer } from '@halles/kit/runtime'
import { createSealer } from '@halles/kit/sealing'
import type { Config } from './config.ts'
import { routes, serveCustomers } from './http.ts'
import type { Deps } from './ports.ts'
import { createCustomerStore } from './store.ts'
import { createAdministrator, type FirstAdministrator } from './use-cases.ts'

export type CustomersApp = App & { httpPort(): number }

/** Connects the service; nothing happens before `start`. */
export function createApp(config: Config): CustomersApp {
  const runtime = createRuntime({ service: 'customers', config, topics })
  const { logger, metrics, messaging, lifecycle } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    migrations: new URL('../migrations', import.meta.url),
    schemas: [outboxSchema],
  })
  const deps: Deps = {
    customers: createCustomerStore(database),
    passwords: createPasswordHasher({
      concurrency: config.hashingConcurrency,
      queueLimit: config.hashingQueueLimit,
      maxWaitMs: config.hashingMaxWaitMs,
      metrics,
    }),
    sealer: createSealer({ publicKey: config.credentialsPublicKey }),
    clock: () => new Date(),
    newId: uuidv7,
    logger,
  }
  const server = openHttpServer<Operations>(runtime, { routes })
  serveCustomers(server, deps)

  const administrator = toAdministrator(config)
  if (administrator) {
    lifecycle.add({
      name: 'first administrator',
      start: () => createAdministrator(deps, administrator),
    })
  }
  lifecycle.add(server)
  lifecycle.add(messaging)
  return { start: lifecycle.start, stop: lifecycle.stop, httpPort: server.port }
}

function toAdministrator(config: Config): FirstAdministrator | undefined {
  const { adminSubjectId, adminEmail, adminPassword } = config
  if (adminSubjectId === undefined || adminEmail === undefined || adminPassword === undefined) {
    return undefined
  }
  return { subjectId: adminSubjectId, email: adminEmail, password: adminPassword }
}
