import type { IncomingMessage, ServerResponse } from 'node:http'
import type { PublicRoute, RateClass, ShedClass } from '@halles/contracts/gen/routing'
import { AppError } from '@halles/kit/errors'
import type { Logger } from '@halles/kit/logging'
import type { Metrics } from '@halles/kit/metrics'
import type { Policy } from '@halles/kit/policy'
import { httpServerFacts } from '@halles/kit/span-facts'
import type { Tracer } from '@halles/kit/spans'
import type { Caller, TokenVerifier } from '@halles/kit/tokens'
import { formatTraceparent, runWithContext } from '@halles/kit/trace'
import { checkAccess } from './access.ts'
import { answerProblem, commonHeaders, type Exchange } from './answer.ts'
import type { Audit } from './audit.ts'
import type { CatalogueCache } from './catalogue-cache.ts'
import type { Match, Matcher } from './match.ts'
import type { ReadClient } from './pipeline/client.ts'
import { answerClosedPage } from './pipeline/closed-page.ts'
import type { Cors } from './pipeline/cors.ts'
import { refuseCrossSite } from './pipeline/cross-site.ts'
import { startDeadline } from './pipeline/deadline.ts'
import type { CheckDoor } from './pipeline/door.ts'
import { openExchange } from './pipeline/exchange.ts'
import type { LimitRate } from './pipeline/limit.ts'
import type { Shed } from './pipeline/load.ts'
import { answerFromWeb, checkPage } from './pipeline/page.ts'
import type { IsPage } from './pipeline/page-path.ts'
import { answerFromCache, answerFromService, isCacheable } from './pipeline/route.ts'
import type { Upstream } from './upstream.ts'

export type PipelineDeps = {
  readClient: ReadClient
  cors: Cors
  checkDoor: CheckDoor
  match: Matcher
  shed: Shed<ShedClass>
  limitRate: LimitRate<RateClass>
  tokens: TokenVerifier
  policy: Policy
  audit: Audit
  catalogue: CatalogueCache
  upstreams: ReadonlyMap<string, Upstream>
  /** The server of the pages, where there is one, and how long it may take. */
  web?: { upstream: Upstream; isPage: IsPage; deadlineMs: number } | undefined
  /** False while the gateway drains: then sockets are closed after their answer. */
  isReady: () => boolean
  /** Aborted when the gateway begins to stop: event streams have no end of their own. */
  closing: AbortSignal
  metrics: Metrics
  tracer: Tracer | undefined
  logger: Logger
}

/** Serves what belongs to a service; `pass` hands the rest to the gateway's own routes. */
export type Pipeline = (
  request: IncomingMessage,
  response: ServerResponse,
  pass: () => void,
) => void

/** What there is to wait for. A step that need not wait returns nothing: see {@link after}. */
type Work = Promise<void> | undefined

/**
 * The edge. Every request is opened (trace, request id, client) and then goes one of three ways, of
 * which each lists its steps in their order.
 */
export function createPipeline(deps: PipelineDeps): Pipeline {
  return (request, response, pass) => {
    const exchange = openExchange(request, response, deps)
    response.on('close', () => observe(deps, exchange))
    if (!deps.isReady()) response.shouldKeepAlive = false
    try {
      const work = choose(deps, exchange, pass)
      work?.catch((error: unknown) => fail(deps, exchange, error))
    } catch (error) {
      fail(deps, exchange, error)
    }
  }
}

function choose(deps: PipelineDeps, exchange: Exchange, pass: () => void): Work {
  const { request } = exchange
  const target = request.url ?? '/'
  deps.checkDoor(exchange)
  const preflight = deps.cors.preflight(request)
  if (preflight) return answerPreflight(exchange, preflight)
  if (deps.web?.isPage(target)) return servePage(deps, exchange, deps.web)
  const match = deps.match(request.method ?? 'GET', target)
  if (!match || match.route.service === 'gateway') {
    return serveOwn(deps, exchange, { route: match?.route, pass })
  }
  return serveRoute(deps, exchange, match)
}

function answerPreflight(exchange: Exchange, allowed: readonly string[]): Work {
  exchange.route = 'preflight'
  exchange.response.writeHead(204, [...commonHeaders(exchange), ...allowed]).end()
  return undefined
}

/** A route of the contract. Up to the cache nothing waits: a cached answer costs no promise. */
function serveRoute(deps: PipelineDeps, exchange: Exchange, match: Match): Work {
  const { route } = match
  const target = match.query === '' ? match.path : `${match.path}?${match.query}`
  const rule = isCacheable(exchange, match) ? route.cache : undefined
  exchange.route = route.path
  deps.shed(rule ? 'cached' : route.shed)
  startDeadline(exchange, route.deadlineMs)
  const limited = deps.limitRate(exchange, route.rate)
  const admitted = after(limited, () => admit(deps, exchange, match))
  return after(admitted, () =>
    rule
      ? answerFromCache(deps, exchange, { route, rule, target })
      : answerFromService(deps, exchange, { route, target }),
  )
}

/** A page of the web server, which knows who is signed in by a cookie of its own. */
function servePage(
  deps: PipelineDeps,
  exchange: Exchange,
  { upstream, deadlineMs }: NonNullable<PipelineDeps['web']>,
): Work {
  exchange.isPage = true
  exchange.route = 'page'
  checkPage(exchange)
  refuseCrossSite(exchange.request)
  deps.shed('page')
  startDeadline(exchange, deadlineMs)
  return after(deps.limitRate(exchange, 'page'), () =>
    answerFromWeb(upstream, exchange, deps.closing),
  )
}

// Whoever asks how the gateway is must be told however much there is to do.
const probes = new Set(['/healthz', '/readyz'])

/** The gateway's own routes, and paths that are nobody's. They check the access themselves. */
function serveOwn(
  deps: PipelineDeps,
  exchange: Exchange,
  { route, pass }: { route: PublicRoute | undefined; pass: () => void },
): Work {
  const { request, response, trace } = exchange
  let limited: Work
  if (route) exchange.route = route.path
  if (route || !probes.has(request.url ?? '/')) {
    deps.shed(route?.shed ?? 'page')
    limited = deps.limitRate(exchange, route?.rate ?? 'page')
  }
  return after(limited, () => {
    request.headers.traceparent = formatTraceparent(trace)
    const headers = commonHeaders(exchange)
    for (let index = 0; index < headers.length; index += 2) {
      response.setHeader(headers[index] as string, headers[index + 1] as string)
    }
    exchange.isPassed = true
    pass()
    return undefined
  })
}

// What rbac takes.
const maxTarget = 200

/** Goes on at once when there is nothing to wait for. */
function after(work: Work, next: () => Work): Work {
  return work ? work.then(next) : next()
}

function admit(deps: PipelineDeps, exchange: Exchange, match: Match): Work {
  const { route } = match
  if (route.access.kind === 'public') return undefined
  const caller = checkAccess(deps, route, exchange.request.headers.authorization)
  return caller instanceof Promise
    ? caller.then((known) => recordDeed(deps, exchange, { ...match, caller: known }))
    : recordDeed(deps, exchange, { ...match, caller })
}

/** What the contract wants in the audit log is there before it is done, or it is not done. */
function recordDeed(
  { audit, tracer }: PipelineDeps,
  { trace }: Exchange,
  { route, path, caller }: Pick<Match, 'route' | 'path'> & { caller: Caller | undefined },
): Work {
  const { audit: action } = route
  if (action === undefined || !caller) return undefined
  const actorId = caller.subjectId
  const target = path.replace('/api/v1/', '').slice(0, maxTarget)
  return runWithContext({ trace, tracer }, () =>
    audit.record({ actorId, action, target, details: {} }),
  )
}

/** Counts the request, unless the server behind did, and tells of its span. */
function observe({ metrics, tracer }: PipelineDeps, exchange: Exchange): void {
  const { request, response, route, startedAtMs, isPassed, trace } = exchange
  const endedAtMs = performance.now()
  const { method = 'GET' } = request
  const { statusCode: status } = response
  if (!isPassed) metrics.observeHttp(route, method, status, (endedAtMs - startedAtMs) / 1_000)
  if (!tracer || !trace.isSampled || probes.has(request.url ?? '/')) return
  const attributes = { 'halles.cache': exchange.cached }
  const served = { method, route: route === 'none' ? undefined : route, status, attributes }
  tracer.record({ kind: 'server', trace, startedAtMs, endedAtMs, ...httpServerFacts(served) })
}

function fail({ logger }: PipelineDeps, exchange: Exchange, error: unknown): void {
  if (!(error instanceof AppError)) {
    const isGone = exchange.response.destroyed
    if (!isGone) {
      logger.error({ error, ...idsOf(exchange) }, 'A request met a bug.')
    }
  } else if (isWorthALine(error)) {
    const { code, details } = error
    logger.warn({ code, ...details, ...idsOf(exchange) }, 'A request was turned away.')
  }
  if (!answerClosedPage(exchange, error)) answerProblem(exchange, error)
}

function idsOf({ trace: { traceId, spanId } }: Exchange) {
  return { traceId, spanId }
}

/** Not what is shed: that is counted, and a line each would be the most work under overload. */
function isWorthALine({ kind, code }: AppError): boolean {
  return (kind === 'unavailable' || kind === 'timeout') && code !== 'OVERLOADED'
}
