import { commonHeaders, type Exchange, passedHeaders } from './answer.ts'
import type { CachedAnswer } from './cache.ts'
import type { Found } from './catalogue-cache.ts'

/** The words of `Cache-Status` (RFC 9211) for each way. */
function toCacheStatus(
  { kind, answer }: Exclude<Found, { kind: 'uncacheable' }>,
  nowMs: number,
): string {
  const ttl = Math.round((answer.freshUntilMs - nowMs) / 1_000)
  const words = {
    hit: `hit; ttl=${ttl}`,
    stale: `hit; ttl=${ttl}; detail=stale-while-revalidate`,
    'stale-if-error': `fwd=stale; ttl=${ttl}; detail=stale-if-error`,
    stored: 'fwd=uri-miss; stored',
    miss: 'fwd=uri-miss',
  }
  return `halles; ${words[kind]}`
}

/** Answers with what the cache found, or with what the service said when that is no success. */
export function answerFound(exchange: Exchange, found: Found): void {
  if (found.kind !== 'uncacheable') {
    const nowMs = performance.now()
    answerCached(exchange, found.answer, toCacheStatus(found, nowMs), nowMs)
    return
  }
  const { status, headers, body } = found.answer
  const all = passedHeaders(exchange, { ...headers, 'content-length': String(body.length) })
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
  headers.push('age', String(Math.round((nowMs - answer.storedAtMs) / 1_000)))
  // We can purge our own cache when a price changes, not the browser's.
  headers.push('cache-control', 'public, max-age=0, must-revalidate')
  if (isNotModified(request.headers['if-none-match'], answer.etag)) {
    response.writeHead(304, headers).end()
    return
  }
  headers.push('content-type', answer.contentType, 'content-length', String(answer.body.length))
  response.writeHead(200, headers)
  response.end(request.method === 'HEAD' ? undefined : answer.body)
}

/** Weak comparison, as RFC 9110 §13.1.2 asks for. */
function isNotModified(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false
  const opaque = etag.replace(/^W\//, '')
  return ifNoneMatch
    .split(',')
    .some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === opaque)
}
