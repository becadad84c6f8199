import { setTimeout as pause } from 'node:timers/promises'
import { type Operations, routes } from '@halles/contracts/gen/http/gateway'
import { publicRoutes, rates } from '@halles/contracts/gen/routing'
import { queues, topics } from '@halles/contracts/gen/topics'
import openapi from '@halles/contracts/openapi.json' with { type: 'json' }
import type { App } from '@halles/kit/lifecycle'
import { createRuntime, openHttpServer } from '@halles/kit/runtime'
import { createAudit } from './audit.ts'
import { createCache } from './cache.ts'
import { createCatalogueCache } from './catalogue-cache.ts'
import type { GatewayConfig } from './config.ts'
import { subscribe } from './consumers.ts'
import type { OpenapiDocument } from './docs.ts'
import { addOperations } from './http.ts'
import { createMatcher } from './match.ts'
import { addPages } from './pages.ts'
import { createPipeline } from './pipeline.ts'
import { createRateLimiter } from './rate-limit.ts'
import { createRevocations } from './revocations.ts'
import { createUpstream } from './upstream.ts'

// Long enough for a broker that is well; one that is away must not keep the shop closed.
const subscriptionWaitMs = 3_000

/** Connects the gateway's parts. */
export function createApp(config: GatewayConfig): App & { port(): number } {
  const revocations = createRevocations()
  const runtime = createRuntime({
    service: 'gateway',
    config,
    topics,
    queues,
    isRevoked: ({ sessionId }) => revocations.has(sessionId),
  })
  const { logger, metrics, messaging, tokens, policy, lifecycle } = runtime
  const rbac = createUpstream('rbac', config.rbacUrls)
  const others = Object.entries({
    auth: config.authUrls,
    customers: config.customersUrls,
    products: config.productsUrls,
    wishlists: config.wishlistsUrls,
    carts: config.cartsUrls,
    orders: config.ordersUrls,
    payments: config.paymentsUrls,
  }).map(([service, addresses]) => createUpstream(service, addresses))
  const upstreams = new Map([rbac, ...others].map((upstream) => [upstream.service, upstream]))
  const cache = createCache({ maxBytes: config.cacheBytes })
  const closing = new AbortController()
  const pipeline = createPipeline({
    match: createMatcher(publicRoutes),
    limitRate: createRateLimiter({ rates, factor: config.rateLimitFactor }),
    tokens,
    policy,
    catalogue: createCatalogueCache(cache, (key, error) =>
      logger.warn({ key, error }, 'A cached answer could not be refreshed.'),
    ),
    upstreams,
    deadlineMs: config.upstreamDeadlineMs,
    isReady: lifecycle.isReady,
    closing: closing.signal,
    metrics,
    logger,
  })
  const server = openHttpServer<Operations>(runtime, {
    routes,
    reusePort: config.reusePort,
    intercept: pipeline,
    maxConnections: 10_000,
  })
  addOperations(server, {
    id: config.instanceId,
    address: config.publicUrl,
    isReady: lifecycle.isReady,
    upstreams,
    messaging,
    cache,
    audit: createAudit(rbac, config.internalSecret),
    internalSecret: config.internalSecret,
    closing: closing.signal,
  })
  addPages(server.fastify, openapi as unknown as OpenapiDocument)
  const live = subscribe(messaging, { cache, policy, revocations })

  for (const upstream of upstreams.values()) {
    lifecycle.add({ name: `way to ${upstream.service}`, stop: () => upstream.close() })
  }
  metrics.gauge({
    name: 'gateway_cache_entries',
    help: 'Answers held.',
    collect: (gauge) => gauge.set(cache.stats().entries),
  })
  lifecycle.add(messaging)
  lifecycle.add({
    name: 'subscriptions',
    start: () => Promise.race([live, pause(subscriptionWaitMs, undefined, { ref: false })]),
  })
  lifecycle.add(server)
  lifecycle.add({ name: 'event streams', stop: async () => closing.abort() })
  return { ...lifecycle, port: server.port }
}
