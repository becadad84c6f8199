import { commonHeaders, type Exchange, endWith, passedHeaders } from './answer.ts'
import type { CachedAnswer } from './cache.ts'
import type { Found } from './catalogue-cache.ts'

type FoundCached = Exclude<Found, { kind: 'uncacheable' }>

/** The words of `Cache-Status` (RFC 9211) for each way; `shared` is the level of all gateways. */
const words: Readonly<Record<FoundCached['kind'], (ttl: number) => string>> = {
  hit: (ttl) => `hit; ttl=${ttl}`,
  shared: (ttl) => `hit; ttl=${ttl}; detail=shared`,
  stale: (ttl) => `hit; ttl=${ttl}; detail=stale-while-revalidate`,
  'stale-if-error': (ttl) => `fwd=stale; ttl=${ttl}; detail=stale-if-error`,
  stored: () => 'fwd=uri-miss; stored',
  renewed: () => 'fwd=stale; stored',
  revalidated: () => 'fwd=stale; fwd-status=304; stored',
  miss: () => 'fwd=uri-miss',
}

function toCacheStatus({ kind, answer, isCollapsed }: FoundCached, nowMs: number): string {
  const ttl = Math.round((answer.freshUntilMs - nowMs) / 1_000)
  const collapsed = isCollapsed ? '; collapsed' : ''
  return `halles; ${words[kind](ttl)}${collapsed}`
}

/** Answers with what the cache found, or with what the service said when that is no success. */
export function answerFound(exchange: Exchange, found: Found): void {
  exchange.cached = found.kind
  if (found.kind !== 'uncacheable') {
    const nowMs = performance.now()
    answerCached(exchange, found.answer, toCacheStatus(found, nowMs), nowMs)
    return
  }
  const { status, headers, body } = found.answer
  const all = passedHeaders(exchange, { ...headers, 'content-length': String(body.length) })
  all.push('cache-status', `halles; fwd=uri-miss${found.isCollapsed ? '; collapsed' : ''}`)
  exchange.response.writeHead(status, all)
  exchange.response.end(exchange.request.method === 'HEAD' ? undefined : body)
}

function answerCached(
  exchange: Exchange,
  answer: CachedAnswer,
  cacheStatus: string,
  nowMs: number,
): void {
  const { request, response } = exchange
  const headers = commonHeaders(exchange)
  headers.push('etag', answer.etag, 'cache-status', cacheStatus)
  headers.push('age', String(Math.max(0, Math.round((nowMs - answer.storedAtMs) / 1_000))))
  // We can purge our own cache when a price changes, not the browser's.
  headers.push('cache-control', 'public, max-age=0, must-revalidate')
  if (isNotModified(request.headers['if-none-match'], answer.etag)) {
    response.writeHead(304, headers).end()
    return
  }
  headers.push('content-type', answer.contentType, 'content-length', String(answer.body.length))
  response.writeHead(200, headers)
  if (request.method === 'HEAD') response.end()
  else endWith(response, answer.body)
}

/** Weak comparison, as RFC 9110 §13.1.2 asks for. */
function isNotModified(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const opaque = etag.replace(/^W\//, '')
  return ifNoneMatch
    .split(',')
    .some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === opaque)
}
