import { type Operations, routes } from '@halles/contracts/gen/http/wishlists'
import { topics } from '@halles/contracts/gen/topics'
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
  const { lifecycle, messaging } = runtime
  const database = openDatabase(runtime, {
    url: config.databaseUrl,
    migrations: new URL('../migrations', import.meta.url),
  })
  const deps: Deps = {
    wishlists: createWishlistStore(database),
    replica: createReplicaStore(database),
    productFeed: createProductFeed(messaging),
    clock: () => new Date(),
  }
  const http = openHttpServer<Operations>(runtime, { routes })
  serveWishlists(http, deps)
  consumeMessages(messaging, deps)

  lifecycle.add(http)
  lifecycle.add(messaging)
  return {
    start: lifecycle.start,
    stop: lifecycle.stop,
    httpPort: http.port,
    rebuildReplica: () => rebuildReplica(deps),
  }
}
