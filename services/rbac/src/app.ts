import type { Operations } from '@halles/contracts/gen/http/rbac'
import { permissions } from '@halles/contracts/gen/permissions'
import { topics } from '@halles/contracts/gen/topics'
import { uuidv7 } from '@halles/kit/ids'
import type { App } from '@halles/kit/lifecycle'
import { outboxSchema } from '@halles/kit/outbox'
import { createPolicy } from '@halles/kit/policy'
import { createRuntime, openDatabase, openHttpServer } from '@halles/kit/runtime'
import type { Config } from './config.ts'
import { createHeldPolicy } from './held-policy.ts'
import { routes, serveRbac } from './http.ts'
import type { Deps } from './ports.ts'
import { createPolicyStore } from './store.ts'
import { preparePolicy } from './use-cases.ts'

export type RbacApp = App & { httpPort(): number }

/** Connects the service; nothing happens before `start`. */
export function createApp(config: Config): RbacApp {
  const runtime = createRuntime({
    service: 'rbac',
    config,
    topics,
  })
  const { logger, messaging, lifecycle } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    migrations: new URL('../migrations', import.meta.url),
    schemas: [outboxSchema],
  })
  const deps: Deps = {
    store: createPolicyStore(database),
    permissions,
    clock: () => new Date(),
    newId: uuidv7,
  }
  // Its own policy comes from its own database, not over HTTP from itself.
  const policy = createPolicy({
    logger,
    fetchPolicy: async () => ({ roles: await heldPolicy.roles() }),
  })
  const heldPolicy = createHeldPolicy({
    readRoles: () => deps.store.roles(),
    onChange: (roles) => roles.forEach(policy.apply),
    listenUrl: config.databaseUrl,
    logger,
  })
  const server = openHttpServer<Operations>(runtime, { routes, policy })
  serveRbac(server, { ...deps, heldPolicy })

  lifecycle.add({
    name: 'first steps',
    start: () => preparePolicy(deps, config.adminSubjectId),
  })
  lifecycle.add(heldPolicy)
  lifecycle.add({ name: 'own policy', start: policy.start, stop: policy.stop })
  lifecycle.add(server)
  lifecycle.add(messaging)
  return { start: lifecycle.start, stop: lifecycle.stop, httpPort: server.port }
}
