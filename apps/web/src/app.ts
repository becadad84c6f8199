import { fileURLToPath } from 'node:url'
import { createDatabase, migrate } from '@halles/kit/database'
import { createHttpServer } from '@halles/kit/http-server'
import { createLifecycle } from '@halles/kit/lifecycle'
import { createLogger } from '@halles/kit/logging'
import { createLoop } from '@halles/kit/loop'
import { createMetrics, startMetricsServer } from '@halles/kit/metrics'
import type { Config } from './config.ts'
import { createFront } from './http.ts'
import { createApi } from './server/api.ts'
import { createLive } from './server/live.ts'
import { loadPages, type Pages } from './server/pages.ts'
import { createPermissions } from './server/permissions.ts'
import { createRefresher } from './server/refresh.ts'
import { createSealer } from './server/sealing.ts'
import { createSessionStore, type SessionStore } from './server/session-store.ts'

const service = 'web'
// As the services: shorter than what the supervisor and Kubernetes wait before they kill.
const drainMs = 15_000
// Visitors come over two gateways with 256 sockets each; live carts hold theirs.
const maxConnections = 4_096
const pruneBatch = 1_000
const pruneEveryMs = 3_600_000

/**
 * Connects everything that the web server is made of; nothing runs before `start`.
 * @param openPages the application; the built one unless a development server brings another.
 */
export function createApp(
  config: Config,
  openPages: () => Promise<Pages> = () => loadPages(config.buildFolder),
) {
  const { host, port, metricsPort, publicUrl, apiUrls, paymentOrigins, drainQuietMs } = config
  const logger = createLogger({ service, instance: config.instanceId, level: config.logLevel })
  const metrics = createMetrics({ service })
  const lifecycle = createLifecycle({ logger, drainMs })
  const { isReady } = lifecycle
  const database = createDatabase({ url: config.databaseUrl, logger, applicationName: service })
  const sessions = createSessionStore(database, createSealer(config.sessionSecret))
  const api = createApi({ addresses: apiUrls, deadlineMs: config.apiDeadlineMs })
  const live = createLive({ addresses: apiUrls, logger })
  const now = () => Date.now()
  const refresher = createRefresher({ sessions, api, now })
  const permissions = createPermissions(now)
  let pages: Pages | undefined
  const front = createFront({
    ...{ sessions, api, refresher, permissions, live, paymentOrigins, publicUrl },
    ...{ metrics, logger, isReady, now },
    pages() {
      if (!pages) throw new Error('The pages are not open.')
      return pages
    },
  })
  const server = createHttpServer<Record<never, never>>({
    ...{ service, instance: config.instanceId, routes: {}, host, port },
    ...{ logger, isReady, maxConnections, drainQuietMs, intercept: front },
  })
  metrics.gauge({
    name: 'web_live_streams',
    help: 'Carts that browsers follow.',
    collect: (gauge) => gauge.set(live.count()),
  })

  let metricsServer: { stop(): Promise<void> } | undefined
  lifecycle.add({
    name: 'metrics',
    async start() {
      metricsServer = await startMetricsServer({ metrics, host, port: metricsPort })
    },
    stop: async () => metricsServer?.stop(),
  })
  lifecycle.add({
    name: 'database',
    start: () =>
      migrate(database, { directory: fileURLToPath(new URL('../migrations', import.meta.url)) }),
    stop: () => database.close(),
  })
  lifecycle.add({ name: 'way to the gateways', stop: () => api.close() })
  lifecycle.add({
    name: 'pages',
    async start() {
      pages = await openPages()
    },
    stop: async () => pages?.stop?.(),
  })
  lifecycle.add(createPruner(sessions, logger))
  lifecycle.add(server)
  // First of all when it stops: a stream has no end of its own.
  lifecycle.add({ name: 'live carts', stop: () => live.close() })
  return { start: lifecycle.start, stop: lifecycle.stop, port: server.port }
}

function createPruner(sessions: SessionStore, logger: ReturnType<typeof createLogger>) {
  const loop = createLoop({
    name: 'session pruner',
    logger,
    backoff: { baseMs: 1_000, maxMs: 60_000 },
    async round() {
      const removed = await sessions.removeExpired(pruneBatch)
      return removed === pruneBatch ? 0 : pruneEveryMs
    },
  })
  return { name: 'session pruner', start: async () => loop.start(), stop: () => loop.stop() }
}
