import { type Operations, routes } from '@halles/contracts/gen/http/wishlists'
import { createHttpServer } from '@halles/kit/http-server'
import { createRuntime, openDatabase } from '@halles/kit/runtime'
import type { Config } from './config.ts'
import { consumeMessages, createProductFeed } from './consumers.ts'
import { serveWishlists } from './http.ts'
import type { Deps } from './ports.ts'
import { createReplicaStore } from './store/replica.ts'
import { createWishlistStore } from './store/wishlists.ts'
import { rebuildReplica } from './use-cases.ts'

const service = 'wishlists'

/** Connects everything that wishlists is made of; nothing runs before `start`. */
export function createApp(config: Config) {
  const runtime = createRuntime({ service, config })
  const { lifecycle, logger, messaging, metrics, tokens } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    service,
    migrations: new URL('../migrations', import.meta.url),
  })
  const deps: Deps = {
    wishlists: createWishlistStore(database),
    replica: createReplicaStore(database),
    productFeed: createProductFeed(messaging),
    clock: () => new Date(),
  }
  const http = createHttpServer<Operations>({
    service,
    instance: config.instanceId,
    logger,
    routes,
    host: config.host,
    port: config.port,
    tokens,
    metrics,
    isReady: lifecycle.isReady,
  })
  serveWishlists(http, deps)
  consumeMessages(messaging, deps)

  lifecycle.add({ name: 'HTTP', start: http.start, stop: http.stop })
  lifecycle.add({ name: 'messaging', start: messaging.start, stop: messaging.stop })
  return {
    start: lifecycle.start,
    stop: lifecycle.stop,
    httpPort: http.port,
    rebuildReplica: () => rebuildReplica(deps),
  }
}
