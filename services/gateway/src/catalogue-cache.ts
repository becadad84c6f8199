import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { PublicRoute } from '@halles/contracts/gen/routing'
import type { Cache, CachedAnswer } from './cache.ts'

/** A whole answer of a service, held in memory. */
export type WholeAnswer = { status: number; headers: IncomingHttpHeaders; body: Buffer }

type CacheRule = NonNullable<PublicRoute['cache']>

/** How an answer came to be, for `Cache-Status` (RFC 9211). */
export type Found =
  | { kind: 'hit' | 'stale' | 'stale-if-error' | 'stored' | 'miss'; answer: CachedAnswer }
  | { kind: 'uncacheable'; answer: WholeAnswer }

export type CatalogueCache = {
  /** What can be answered at once; a stale answer is refreshed behind it. */
  find(key: string, rule: CacheRule, fetch: () => Promise<WholeAnswer>): Found | undefined
  /** Asks the service; identical requests under way share one. Falls back on a stale answer. */
  fetch(key: string, rule: CacheRule, fetch: () => Promise<WholeAnswer>): Promise<Found>
}

/** Tells what went wrong with a refresh that nobody waits for. */
export type RefreshFailed = (key: string, error: unknown) => void

/**
 * RFC 9111 with stale-while-revalidate and stale-if-error (RFC 5861) over a tagged cache.
 * @param clock monotonic milliseconds.
 */
export function createCatalogueCache(
  cache: Cache,
  onRefreshFailed: RefreshFailed,
  clock: () => number = () => performance.now(),
): CatalogueCache {
  const underWay = new Map<string, Promise<Found>>()

  async function ask(
    key: string,
    rule: CacheRule,
    fetch: () => Promise<WholeAnswer>,
  ): Promise<Found> {
    const mark = cache.mark()
    try {
      const whole = await fetch()
      if (whole.status !== 200) {
        const stale = whole.status >= 500 ? fallback(key) : undefined
        return stale ?? { kind: 'uncacheable', answer: whole }
      }
      const answer = toCached(whole, rule, clock())
      return { kind: cache.put(key, answer, mark) ? 'stored' : 'miss', answer }
    } catch (error) {
      const stale = fallback(key)
      if (stale) return stale
      throw error
    }
  }

  function fallback(key: string): Found | undefined {
    const answer = cache.get(key)
    if (!answer || clock() > answer.errorUntilMs) return undefined
    return { kind: 'stale-if-error', answer }
  }

  function share(key: string, rule: CacheRule, fetch: () => Promise<WholeAnswer>): Promise<Found> {
    const running = underWay.get(key)
    if (running) return running
    const started = ask(key, rule, fetch).finally(() => underWay.delete(key))
    underWay.set(key, started)
    return started
  }

  return {
    find(key, rule, fetch) {
      const answer = cache.get(key)
      if (!answer) return undefined
      const nowMs = clock()
      if (nowMs <= answer.freshUntilMs) return { kind: 'hit', answer }
      if (nowMs > answer.staleUntilMs) return undefined
      if (!underWay.has(key)) {
        share(key, rule, fetch).catch((error: unknown) => onRefreshFailed(key, error))
      }
      return { kind: 'stale', answer }
    },
    fetch: share,
  }
}

function toCached(answer: WholeAnswer, rule: CacheRule, nowMs: number): CachedAnswer {
  const { headers, body } = answer
  const freshUntilMs = nowMs + rule.maxAgeSeconds * 1_000
  return {
    body,
    contentType: headers['content-type'] ?? 'application/json; charset=utf-8',
    etag: headers.etag ?? `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    tags: String(headers['cache-tag'] ?? '')
      .split(' ')
      .filter((tag) => tag !== ''),
    storedAtMs: nowMs,
    freshUntilMs,
    staleUntilMs: freshUntilMs + rule.staleWhileRevalidateSeconds * 1_000,
    errorUntilMs: freshUntilMs + rule.staleIfErrorSeconds * 1_000,
  }
}
