import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { PublicRoute } from '@halles/contracts/gen/routing'
import type { CachedAnswer } from './cache.ts'

/** A whole answer of a service, held in memory. */
export type WholeAnswer = { status: number; headers: IncomingHttpHeaders; body: Buffer }

export type CacheRule = NonNullable<PublicRoute['cache']>

// Beyond it an index by tags costs more than the answer; a page of the catalogue has some hundred.
const maxTags = 1_000

/**
 * The answer as a shared cache may hold it (RFC 9111), or undefined when it may not: the service
 * says so, it sets a cookie, or it chose the answer by a header that the service was not sent.
 * What the service says shortens the contract's rule and never lengthens it.
 */
export function toCached(
  { status, headers, body }: WholeAnswer,
  rule: CacheRule,
  nowMs: number,
): CachedAnswer | undefined {
  if (status !== 200 || headers['set-cookie'] || headers.vary) return undefined
  const times = toTimes(headers, rule, nowMs)
  const tags = tagsOf(headers)
  if (!times || tags.length > maxTags) return undefined
  return {
    ...times,
    body,
    contentType: headers['content-type'] ?? 'application/json; charset=utf-8',
    etag: headers.etag ?? `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    isEtagOfService: headers.etag !== undefined,
    tags,
  }
}

/** The answer that a 304 of the service confirms, with new times; undefined when it may not be held. */
export function renew(
  held: CachedAnswer,
  headers: IncomingHttpHeaders,
  { rule, nowMs }: { rule: CacheRule; nowMs: number },
): CachedAnswer | undefined {
  const times = toTimes(headers, rule, nowMs)
  if (!times || headers['set-cookie'] || headers.vary) return undefined
  const tags = headers['cache-tag'] === undefined ? held.tags : tagsOf(headers)
  return { ...held, ...times, tags }
}

type Times = Pick<CachedAnswer, 'storedAtMs' | 'freshUntilMs' | 'staleUntilMs' | 'errorUntilMs'>

function toTimes(headers: IncomingHttpHeaders, rule: CacheRule, nowMs: number): Times | undefined {
  const said = readCacheControl(headers['cache-control'])
  if (['no-store', 'no-cache', 'private'].some((word) => said.has(word))) return undefined
  const within = (name: string, seconds: number) => Math.min(seconds, said.get(name) ?? seconds)
  const isStrict = ['must-revalidate', 'proxy-revalidate', 's-maxage'].some((word) =>
    said.has(word),
  )
  const freshSeconds = within(said.has('s-maxage') ? 's-maxage' : 'max-age', rule.maxAgeSeconds)
  const staleSeconds = isStrict
    ? 0
    : within('stale-while-revalidate', rule.staleWhileRevalidateSeconds)
  const errorSeconds = isStrict ? 0 : within('stale-if-error', rule.staleIfErrorSeconds)
  // A cache on the way here may have held it already.
  const storedAtMs = nowMs - seconds(headers.age) * 1_000
  const freshUntilMs = storedAtMs + freshSeconds * 1_000
  return {
    storedAtMs,
    freshUntilMs,
    staleUntilMs: freshUntilMs + staleSeconds * 1_000,
    errorUntilMs: freshUntilMs + Math.max(staleSeconds, errorSeconds) * 1_000,
  }
}

/** Directives by name, with their seconds where they have any. */
function readCacheControl(header: string | undefined): Map<string, number | undefined> {
  const directives = (header ?? '').toLowerCase().split(',')
  return new Map(
    directives.map((directive) => {
      const [name = '', value] = directive.split('=', 2)
      return [name.trim(), value === undefined ? undefined : seconds(value)] as const
    }),
  )
}

/** What is no number of seconds counts as none left: better asked again than shown too long. */
function seconds(value: string | undefined): number {
  const text = value?.trim().replaceAll('"', '') ?? '0'
  return /^\d{1,9}$/.test(text) ? Number(text) : 0
}

function tagsOf(headers: IncomingHttpHeaders): string[] {
  return String(headers['cache-tag'] ?? '')
    .split(' ')
    .filter((tag) => tag !== '')
}
