import { type Operations, routes } from '@halles/contracts/gen/http/wishlists'
import { topics } from '@halles/contracts/gen/topics'
import { createRebuilds } from '@halles/kit/rebuilds'
import { createRuntime, openDatabase, openHttpServer } from '@halles/kit/runtime'
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
  const runtime = createRuntime({ service, config, topics })
  const { lifecycle, logger, messaging } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    migrations: new URL('../migrations', import.meta.url),
  })
  const deps: Deps = {
    wishlists: createWishlistStore(database),
    replica: createReplicaStore(database),
    productFeed: createProductFeed(messaging, logger),
    clock: () => new Date(),
  }
  const rebuilds = createRebuilds({
    replica: deps.replica,
    rebuild: (options) => rebuildReplica(deps, options),
    logger,
  })
  const http = openHttpServer<Operations>(runtime, { routes })
  serveWishlists(http, { ...deps, rebuilds })
  consumeMessages(messaging, deps)

  lifecycle.add(http)
  lifecycle.add(rebuilds.check)
  lifecycle.add(messaging)
  lifecycle.add(rebuilds.repair)
  return {
    start: lifecycle.start,
    stop: lifecycle.stop,
    httpPort: http.port,
    rebuildReplica: rebuilds.run,
  }
}
