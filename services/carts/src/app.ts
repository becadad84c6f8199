import { type Operations, routes } from '@halles/contracts/gen/http/carts'
import { topics } from '@halles/contracts/gen/topics'
import { uuidv7 } from '@halles/kit/ids'
import { inboxSchema } from '@halles/kit/inbox'
import { createLoop } from '@halles/kit/loop'
import { createRebuilds } from '@halles/kit/rebuilds'
import { createRuntime, openDatabase, openGrpcServer, openHttpServer } from '@halles/kit/runtime'
import type { Config } from './config.ts'
import { consumeMessages, createProductFeed } from './consumers.ts'
import { createCartFeed } from './feed.ts'
import { serveCartsGrpc } from './grpc.ts'
import { serveCarts } from './http.ts'
import type { Deps } from './ports.ts'
import { createChanges, createChangesListener } from './store/announcements.ts'
import { createCartStore } from './store/carts.ts'
import { createReplicaStore } from './store/replica.ts'
import { rebuildReplica, removeAbandonedCarts } from './use-cases.ts'

const service = 'carts'
// Requests of two gateways with 256 sockets each, besides the streams.
const requestConnections = 1_024
const removalIntervalMs = 3_600_000

/** Connects everything that carts is made of; nothing runs before `start`. */
export function createApp(config: Config) {
  const { databaseUrl: url, maxStreams } = config
  const runtime = createRuntime({ service, config, topics })
  const { lifecycle, logger, messaging, metrics } = runtime
  const database = openDatabase(runtime, {
    url,
    migrations: new URL('../migrations', import.meta.url),
    schemas: [inboxSchema],
  })
  const carts = createCartStore(database)
  const changes = createChanges({ database, logger })
  const feed = createCartFeed({ readMany: carts.readMany, logger, maxStreams })
  const listener = createChangesListener({ url, logger, onChange: feed.changed })
  const productFeed = createProductFeed(messaging, logger)
  const replica = createReplicaStore(database)
  const clock = () => new Date()
  const deps: Deps = { carts, replica, changes, productFeed, feed, clock, newId: () => uuidv7() }
  metrics.gauge({
    name: 'cart_streams',
    help: 'Event streams that are open.',
    collect: (gauge) => gauge.set(feed.size()),
  })
  const removal = createLoop({
    name: 'abandoned carts',
    logger,
    round: async () => ((await removeAbandonedCarts(deps)) ? 0 : removalIntervalMs),
    backoff: { baseMs: 1_000, maxMs: 60_000 },
  })
  const rebuilds = createRebuilds({
    replica: deps.replica,
    rebuild: (options) => rebuildReplica(deps, options),
    logger,
  })
  const http = openHttpServer<Operations>(runtime, {
    routes,
    connections: { total: maxStreams + requestConnections },
  })
  serveCarts(http, { ...deps, rebuilds })
  const services = [serveCartsGrpc(deps)]
  const grpc = openGrpcServer(runtime, services)
  consumeMessages(messaging, deps)

  lifecycle.add(changes)
  lifecycle.add(feed)
  lifecycle.add({
    name: 'changes listener',
    start: async () => listener.start(),
    stop: () => listener.stop(),
  })
  lifecycle.add({
    name: 'abandoned carts',
    start: async () => removal.start(),
    stop: () => removal.stop(),
  })
  lifecycle.add(grpc)
  lifecycle.add(http)
  lifecycle.add(rebuilds.check)
  lifecycle.add(messaging)
  lifecycle.add(rebuilds.repair)
  return {
    start: lifecycle.start,
    stop: lifecycle.stop,
    httpPort: http.port,
    grpcPort: grpc.port,
    rebuildReplica: rebuilds.run,
  }
}
