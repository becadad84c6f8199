import { setTimeout as pause } from 'node:timers/promises'
import asyncapi from '@halles/contracts/asyncapi.json' with { type: 'json' }
import { type Operations, routes } from '@halles/contracts/gen/http/gateway'
import {
  type PublicRoute,
  publicRoutes,
  type RateClass,
  rates,
  shedding,
} from '@halles/contracts/gen/routing'
import { queues, topics } from '@halles/contracts/gen/topics'
import openapi from '@halles/contracts/openapi.json' with { type: 'json' }
import type { ConnectionLimits } from '@halles/kit/http-connections'
import type { App } from '@halles/kit/lifecycle'
import type { Metrics } from '@halles/kit/metrics'
import { createRuntime, openHttpServer } from '@halles/kit/runtime'
import { createAudit } from './audit.ts'
import type { GatewayConfig } from './config.ts'
import { subscribe } from './consumers.ts'
import type { OpenapiDocument } from './docs.ts'
import { createEdgeCache } from './edge-cache.ts'
import { addOperations } from './http.ts'
import { createMatcher, createMethodFinder } from './match.ts'
import { measureMessaging } from './messaging-figures.ts'
import { addPages } from './pages.ts'
import { createClientReader, createProxyTest } from './pipeline/client.ts'
import { createCors } from './pipeline/cors.ts'
import { createDoor } from './pipeline/door.ts'
import { createRateStep } from './pipeline/limit.ts'
import { createLoadMonitor, createShedder, type LoadMonitor } from './pipeline/load.ts'
import { createPageTest } from './pipeline/page-path.ts'
import { createPipeline, type PipelineDeps } from './pipeline.ts'
import { createRateLimiter } from './rate-limit.ts'
import { createRedis, type Redis } from './redis.ts'
import { createRevocations } from './revocations.ts'
import { createSharedRates } from './shared-rates.ts'
import { openConsole } from './system/console.ts'
import { createUpstream } from './upstream.ts'

// Long enough for a broker that is well; one that is away must not keep the shop closed.
const subscriptionWaitMs = 3_000
// What an attacker or a faulty provider would try on all gateways at once, and few enough to ask for.
const exactRates: readonly RateClass[] = ['sign-in', 'sign-up', 'checkout', 'webhook']

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
  const { logger, metrics, tracer, messaging, tokens, policy, lifecycle } = runtime
  const wayTo = (service: string, addresses: readonly string[]) =>
    createUpstream(service, addresses, { logger, metrics, tracer })
  const rbac = wayTo('rbac', config.rbacUrls)
  const others = Object.entries({
    auth: config.authUrls,
    customers: config.customersUrls,
    products: config.productsUrls,
    wishlists: config.wishlistsUrls,
    carts: config.cartsUrls,
    orders: config.ordersUrls,
    payments: config.paymentsUrls,
  }).map(([service, addresses]) => wayTo(service, addresses))
  const web = config.webUrls.length > 0 ? wayTo('web', config.webUrls) : undefined
  const upstreams = new Map(
    [rbac, ...others, ...(web ? [web] : [])].map((upstream) => [upstream.service, upstream]),
  )
  const { redisUrl, cacheBytes: maxBytes } = config
  const redis = redisUrl === undefined ? undefined : createRedis({ url: redisUrl, logger })
  const cache = createEdgeCache({ maxBytes, redis, logger, metrics })
  const closing = new AbortController()
  const load = createLoadMonitor()
  const audit = createAudit(rbac, config.internalSecret)
  const pipeline = createPipeline({
    ...createGuards(config, { metrics, load, redis }),
    checkDoor: createDoor(config),
    cors: createCors({ origins: config.corsOrigins, methodsAt: createMethodFinder(publicRoutes) }),
    match: createMatcher(routesWithin(config.upstreamDeadlineMs)),
    web: web && {
      upstream: web,
      isPage: createPageTest(publicRoutes),
      deadlineMs: Math.min(rates.page.deadlineMs, config.upstreamDeadlineMs),
    },
    tokens,
    policy,
    audit,
    catalogue: cache.catalogue,
    upstreams,
    isReady: lifecycle.isReady,
    closing: closing.signal,
    metrics,
    tracer,
    logger,
  })
  const server = openHttpServer<Operations>(runtime, {
    routes,
    reusePort: config.reusePort,
    intercept: pipeline,
    connections: connectionLimits(config),
    // Anybody reaches this server; the metrics port tells it.
    readVitals: undefined,
  })
  measureMessaging({ metrics, messaging, logger })
  const { figures: cacheFigures } = cache
  const own = { upstreams, audit, cacheFigures, closing: closing.signal }
  addOperations(server, {
    id: config.instanceId,
    address: config.publicUrl,
    isReady: lifecycle.isReady,
    ...own,
    messaging,
    console: openConsole(runtime, config, own),
    internalSecret: config.internalSecret,
  })
  addPages(server.fastify, { openapi: openapi as unknown as OpenapiDocument, asyncapi })
  const live = subscribe(messaging, { purges: cache.purges, policy, revocations })

  for (const upstream of upstreams.values()) {
    const { service, start, close: stop } = upstream
    lifecycle.add({ name: `way to ${service}`, start, stop })
  }
  lifecycle.add(load)
  if (redis) lifecycle.add({ name: 'Redis', ...redis })
  lifecycle.add({ name: 'shared cache', stop: cache.stop })
  lifecycle.add(messaging)
  lifecycle.add({
    name: 'subscriptions',
    start: () => Promise.race([live, pause(subscriptionWaitMs, undefined, { ref: false })]),
  })
  lifecycle.add(server)
  lifecycle.add({ name: 'event streams', stop: async () => closing.abort() })
  return { ...lifecycle, port: server.port }
}

/** The steps that turn requests away before anybody works on them, and what counts their refusals. */
function createGuards(
  { trustedProxies, rateLimitFactor: factor }: GatewayConfig,
  { metrics, load, redis }: { metrics: Metrics; load: LoadMonitor; redis: Redis | undefined },
): Pick<PipelineDeps, 'readClient' | 'shed' | 'limitRate'> {
  const shed = metrics.counter({
    name: 'gateway_shed_total',
    help: 'Requests turned away because the event loop was late.',
    labels: ['class'],
  })
  const limited = metrics.counter({
    name: 'gateway_rate_limited_total',
    help: 'Requests turned away because their client sent too many.',
    labels: ['class'],
  })
  metrics.gauge({
    name: 'gateway_event_loop_delay_seconds',
    help: 'How late the event loop is, smoothed; what load shedding goes by.',
    collect: (gauge) => gauge.set(load.delayMs() / 1_000),
  })
  return {
    readClient: createClientReader(trustedProxies),
    shed: createShedder({
      thresholds: shedding,
      delayMs: load.delayMs,
      onShed: (shedClass) => shed.inc({ class: shedClass }),
    }),
    limitRate: createRateStep({
      rates,
      factor,
      limit: createRateLimiter({
        ...{ rates, factor, exact: exactRates },
        ...(redis && { shared: createSharedRates(redis) }),
      }),
      onLimited: (rateClass) => limited.inc({ class: rateClass }),
    }),
  }
}

function connectionLimits(config: GatewayConfig): ConnectionLimits {
  return {
    headersMs: config.headersTimeoutMs,
    requestMs: config.requestTimeoutMs,
    keepAliveMs: config.keepAliveTimeoutMs,
    stallMs: config.stallTimeoutMs,
    total: config.maxConnections,
    perAddress: config.maxConnectionsPerAddress,
    isExempt: createProxyTest(config.trustedProxies),
  }
}

function routesWithin(mostMs: number): PublicRoute[] {
  return publicRoutes.map((route) => ({ ...route, deadlineMs: Math.min(route.deadlineMs, mostMs) }))
}
