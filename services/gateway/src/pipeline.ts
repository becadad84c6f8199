import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { PublicRoute, RateClass } from '@halles/contracts/gen/routing'
import { AppError } from '@halles/kit/errors'
import type { Logger } from '@halles/kit/logging'
import type { Metrics } from '@halles/kit/metrics'
import type { Policy } from '@halles/kit/policy'
import type { TokenVerifier } from '@halles/kit/tokens'
import { childOf, deadlineHeader, formatTraceparent, parseTraceparent } from '@halles/kit/trace'
import { checkAccess } from './access.ts'
import { answerProblem, commonHeaders, type Exchange, passedHeaders } from './answer.ts'
import { answerFound } from './answer-found.ts'
import { readBody } from './body.ts'
import type { CatalogueCache, WholeAnswer } from './catalogue-cache.ts'
import type { Match, Matcher } from './match.ts'
import type { RateDecision } from './rate-limit.ts'
import type { Upstream, UpstreamRequest } from './upstream.ts'

export type PipelineDeps = {
  match: Matcher
  limitRate: (client: string, rateClass: RateClass) => RateDecision | undefined
  tokens: TokenVerifier
  policy: Policy
  catalogue: CatalogueCache
  upstreams: ReadonlyMap<string, Upstream>
  /** Milliseconds that a service may take until the head of its answer. */
  deadlineMs: number
  /** False while the gateway drains: then sockets are closed after their answer. */
  isReady: () => boolean
  /** Aborted when the gateway begins to stop: event streams have no end of their own. */
  closing: AbortSignal
  metrics: Metrics
  logger: Logger
}

/** Serves what belongs to a service; `pass` hands the rest to the gateway's own routes. */
export type Pipeline = (
  request: IncomingMessage,
  response: ServerResponse,
  pass: () => void,
) => void

/** What a service gets of the client's headers; it decides by nothing else. */
const forwarded = [
  'authorization',
  'content-type',
  'accept',
  'accept-language',
  'if-match',
  'idempotency-key',
  'stripe-signature',
  'content-encoding',
] as const

// A catalogue page is some 20 KB; an answer past this is passed on but never held for the cache.
const maxHeldBytes = 4 * 1024 * 1024

/**
 * The edge, step by step. Everything up to the cache is synchronous for public routes, so that a
 * cached answer costs no promise.
 */
export function createPipeline(deps: PipelineDeps): Pipeline {
  return (request, response, pass) => {
    const exchange = openExchange(request, response)
    if (!deps.isReady()) response.shouldKeepAlive = false
    try {
      const match = deps.match(request.method ?? 'GET', request.url ?? '/')
      if (!match || match.route.service === 'gateway') {
        passOwn(deps, exchange, { route: match?.route, pass })
        return
      }
      exchange.route = match.route.path
      response.once('close', () => observe(deps.metrics, exchange))
      limitRate(deps, exchange, match.route.rate)
      if (match.route.access.kind === 'public') {
        serve(deps, exchange, match)
        return
      }
      checkAccess(deps, match.route, request.headers.authorization).then(
        () => serve(deps, exchange, match),
        (error: unknown) => fail(deps, exchange, error),
      )
    } catch (error) {
      fail(deps, exchange, error)
    }
  }
}

/** Hands on to the gateway's own routes what has passed its limit; they check the access. */
function passOwn(
  deps: PipelineDeps,
  exchange: Exchange,
  { route, pass }: { route: PublicRoute | undefined; pass: () => void },
): void {
  const { request, response, trace } = exchange
  if (route) {
    exchange.route = route.path
    try {
      limitRate(deps, exchange, route.rate)
    } catch (error) {
      // Nobody else counts what is refused here.
      response.once('close', () => observe(deps.metrics, exchange))
      throw error
    }
  }
  request.headers.traceparent = formatTraceparent(trace)
  const headers = commonHeaders(exchange)
  for (let index = 0; index < headers.length; index += 2) {
    response.setHeader(headers[index] as string, headers[index + 1] as string)
  }
  pass()
}

function openExchange(request: IncomingMessage, response: ServerResponse): Exchange {
  const header = request.headers.traceparent
  return {
    request,
    response,
    trace: childOf(parseTraceparent(Array.isArray(header) ? undefined : header)),
    startedAtMs: performance.now(),
    route: 'none',
  }
}

function observe(metrics: Metrics, { request, response, route, startedAtMs }: Exchange): void {
  const seconds = (performance.now() - startedAtMs) / 1_000
  metrics.observeHttp(route, request.method ?? 'GET', response.statusCode, seconds)
}

function limitRate(deps: PipelineDeps, exchange: Exchange, rateClass: RateClass): void {
  const client = exchange.request.socket.remoteAddress ?? 'unknown'
  const decision = deps.limitRate(client, rateClass)
  if (!decision) return
  exchange.rate = { decision, name: rateClass }
  if (decision.isAllowed) return
  throw new AppError('too-many', 'RATE_LIMITED', 'Too many requests; slow down.', {
    retryAfterSeconds: decision.resetSeconds,
  })
}

/** From the cache, or from the service. Never throws. */
function serve(deps: PipelineDeps, exchange: Exchange, match: Match): void {
  const { method } = exchange.request
  const isRead = method === 'GET' || method === 'HEAD'
  const work =
    isRead && match.route.cache && match.isCanonical
      ? serveCacheable(deps, exchange, match, match.route.cache)
      : servePassing(deps, exchange, match)
  work?.catch((error: unknown) => fail(deps, exchange, error))
}

function serveCacheable(
  deps: PipelineDeps,
  exchange: Exchange,
  match: Match,
  rule: NonNullable<PublicRoute['cache']>,
): Promise<void> | undefined {
  const key = match.query === '' ? match.path : `${match.path}?${match.query}`
  const fetch = () => fetchWhole(deps, exchange, match, key)
  const found = deps.catalogue.find(key, rule, fetch)
  if (found) {
    answerFound(exchange, found)
    return undefined
  }
  return deps.catalogue.fetch(key, rule, fetch).then((fetched) => answerFound(exchange, fetched))
}

/** Asks for an answer to be shared: without the client's own headers, and not given up with it. */
async function fetchWhole(
  deps: PipelineDeps,
  exchange: Exchange,
  { route }: Match,
  target: string,
): Promise<WholeAnswer> {
  const chunks: Buffer[] = []
  let size = 0
  let head: { status: number; headers: IncomingHttpHeaders } | undefined
  await upstreamOf(deps, route).send(
    {
      method: 'GET',
      target,
      headers: internalHeaders(deps, exchange),
      body: null,
      deadlineMs: deps.deadlineMs,
      isRepeatable: true,
      signal: never,
    },
    {
      onHead(status, headers) {
        head = { status, headers }
      },
      onData(chunk) {
        size += chunk.length
        chunks.push(chunk)
        return size > maxHeldBytes
          ? Promise.reject(new Error('The answer is too large.'))
          : undefined
      },
    },
  )
  if (!head) throw new Error('An answer ended without a head.')
  return { ...head, body: Buffer.concat(chunks, size) }
}

const never = new AbortController().signal

async function servePassing(deps: PipelineDeps, exchange: Exchange, match: Match): Promise<void> {
  const { request, response } = exchange
  const { route } = match
  const body = await readBody(request, route.bodyLimitBytes)
  const client = new AbortController()
  response.once('close', () => client.abort())
  const method = request.method ?? 'GET'
  const upstreamRequest: UpstreamRequest = {
    method,
    target: match.query === '' ? match.path : `${match.path}?${match.query}`,
    headers: forwardedHeaders(deps, exchange, route),
    body,
    deadlineMs: route.stream ? 0 : deps.deadlineMs,
    isRepeatable: method !== 'POST' || route.idempotent === true,
    signal: route.stream ? AbortSignal.any([client.signal, deps.closing]) : client.signal,
  }
  await upstreamOf(deps, route).send(upstreamRequest, {
    onHead(status, headers) {
      response.writeHead(status, passedHeaders(exchange, headers))
      if (route.stream) response.flushHeaders()
    },
    onData(chunk) {
      if (response.write(chunk) || response.destroyed) return undefined
      return new Promise((resolve) => {
        const settle = () => {
          response.off('drain', settle).off('close', settle)
          resolve()
        }
        response.on('drain', settle).on('close', settle)
      })
    },
  })
  response.end()
}

function upstreamOf(deps: PipelineDeps, { service }: PublicRoute): Upstream {
  const upstream = deps.upstreams.get(service)
  if (!upstream) throw new Error(`The gateway does not know where ${service} is.`)
  return upstream
}

function internalHeaders(deps: PipelineDeps, { trace }: Exchange): Record<string, string> {
  return {
    traceparent: formatTraceparent(childOf(trace)),
    [deadlineHeader]: String(deps.deadlineMs),
  }
}

function forwardedHeaders(
  deps: PipelineDeps,
  exchange: Exchange,
  route: PublicRoute,
): Record<string, string> {
  const headers = internalHeaders(deps, exchange)
  if (route.stream) delete headers[deadlineHeader]
  for (const name of forwarded) {
    const value = exchange.request.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  return headers
}

function fail({ logger }: PipelineDeps, exchange: Exchange, error: unknown): void {
  if (!(error instanceof AppError)) {
    const isGone = exchange.response.destroyed
    if (!isGone) {
      logger.error({ error, traceId: exchange.trace.traceId }, 'A request met a bug.')
    }
  } else if (error.kind === 'unavailable' || error.kind === 'timeout') {
    const { code, details } = error
    logger.warn({ code, ...details, traceId: exchange.trace.traceId }, 'A request was turned away.')
  }
  answerProblem(exchange, error)
}
