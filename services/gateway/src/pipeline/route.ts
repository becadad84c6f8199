import type { IncomingHttpHeaders } from 'node:http'
import type { PublicRoute } from '@halles/contracts/gen/routing'
import { createCancellation } from '@halles/kit/resilience'
import type { Exchange } from '../answer.ts'
import { answerFound } from '../answer-found.ts'
import type { CacheRule, WholeAnswer } from '../cacheable.ts'
import type { CatalogueCache } from '../catalogue-cache.ts'
import type { Match } from '../match.ts'
import type { Upstream } from '../upstream.ts'
import type { Shed } from './load.ts'
import { passThrough } from './pass-through.ts'

export type RouteDeps = {
  catalogue: CatalogueCache
  upstreams: ReadonlyMap<string, Upstream>
  shed: Shed<PublicRoute['shed']>
  /** Aborted when the gateway begins to stop: event streams have no end of their own. */
  closing: AbortSignal
}

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

// A catalogue page is some 20 KB; an answer past this is never held for the cache.
const maxHeldBytes = 4 * 1024 * 1024

// Later than a read takes where all is well, so that a second instance is asked seldom; long before
// probes tell that the first one stands still. Only where there are two, out of the retry budget.
const hedgeAfterMs = 50

/** Whether the cache may answer this request. */
export function isCacheable(exchange: Exchange, { route, isCanonical }: Match): boolean {
  const { method } = exchange.request
  return route.cache !== undefined && isCanonical && (method === 'GET' || method === 'HEAD')
}

/**
 * From the cache, at once when it has an answer; else from the service, one call for all who ask
 * the same at the same time. Only that call is work that is worth shedding.
 */
export function answerFromCache(
  deps: RouteDeps,
  exchange: Exchange,
  { route, rule, target }: { route: PublicRoute; rule: CacheRule; target: string },
): Promise<void> | undefined {
  const fetch = (ifNoneMatch?: string) => fetchWhole(deps, exchange, { route, target, ifNoneMatch })
  const found = deps.catalogue.find(target, rule, fetch)
  if (found) {
    answerFound(exchange, found)
    return undefined
  }
  deps.shed(route.shed)
  return deps.catalogue.fetch(target, rule, fetch).then((late) => answerFound(exchange, late))
}

/** A call whose answer is shared, and the entity tag of the answer that it may confirm. */
type Shared = { route: PublicRoute; target: string; ifNoneMatch: string | undefined }

const never = createCancellation()

/**
 * Asks for an answer to be shared: without the client's own headers, with the route's whole
 * deadline, and not given up when the one who happened to ask first goes away.
 */
async function fetchWhole(
  deps: RouteDeps,
  { trace }: Exchange,
  { route, target, ifNoneMatch }: Shared,
): Promise<WholeAnswer> {
  const chunks: Buffer[] = []
  let size = 0
  let head: { status: number; headers: IncomingHttpHeaders } | undefined
  const { deadlineMs } = route
  const headers: Record<string, string> =
    ifNoneMatch === undefined ? {} : { 'if-none-match': ifNoneMatch }
  await upstreamOf(deps, route).send(
    {
      ...{ method: 'GET', target, headers, trace, body: null, deadlineMs },
      ...{ isRepeatable: true, signal: never, hedgeAfterMs },
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

/** From the service that owns the route. */
export function answerFromService(
  deps: RouteDeps,
  exchange: Exchange,
  { route, target }: { route: PublicRoute; target: string },
): Promise<void> {
  return passThrough(exchange, {
    upstream: upstreamOf(deps, route),
    target,
    headers: forwardedHeaders(exchange),
    bodyLimitBytes: route.bodyLimitBytes,
    isRepeatable: exchange.request.method !== 'POST' || route.idempotent === true,
    streamUntil: route.stream ? deps.closing : undefined,
  })
}

function upstreamOf({ upstreams }: RouteDeps, { service }: PublicRoute): Upstream {
  const upstream = upstreams.get(service)
  if (!upstream) throw new Error(`The gateway does not know where ${service} is.`)
  return upstream
}

function forwardedHeaders({ request }: Exchange): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const name of forwarded) {
    const value = request.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  return headers
}
