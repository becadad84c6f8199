import type { IncomingMessage } from 'node:http'

/** What pages of other origins may do with the API. */
export type Cors = {
  /** The headers of every answer, for the origin that asks. */
  headersOf(origin: string | undefined): readonly string[]
  /** The headers that answer a preflight; undefined when the request is none of a known origin. */
  preflight(request: IncomingMessage): readonly string[] | undefined
}

// What the API reads besides what every page may send.
const allowedHeaders =
  'authorization, content-type, idempotency-key, if-match, if-none-match, traceparent'
const exposedHeaders =
  'etag, location, retry-after, ratelimit, ratelimit-policy, cache-status, age, x-request-id'
// How long a browser goes on after an origin is taken off the list.
const maxAgeSeconds = '600'

const nothing: readonly string[] = []

/**
 * Answers by the list of origins and the methods of the contract (Fetch standard, CORS protocol).
 * Without origins there are no headers at all: the browser then keeps every other origin out.
 * Credentials are never allowed: the API knows callers by their token, not by a cookie.
 */
export function createCors({
  origins,
  methodsAt,
}: {
  origins: readonly string[]
  methodsAt: (target: string) => readonly string[]
}): Cors {
  if (origins.length === 0) return { headersOf: () => nothing, preflight: () => undefined }
  // Whatever cache lies between must not give one origin's answer to another.
  const stranger = ['vary', 'origin']
  const known = new Map(
    origins.map((origin) => [
      origin,
      [
        ...stranger,
        ...['access-control-allow-origin', origin],
        ...['access-control-expose-headers', exposedHeaders],
      ],
    ]),
  )
  return {
    headersOf: (origin) => known.get(origin ?? '') ?? stranger,
    preflight({ method, url = '/', headers }) {
      if (method !== 'OPTIONS' || headers['access-control-request-method'] === undefined) {
        return undefined
      }
      const allowed = known.has(headers.origin ?? '') ? methodsAt(url) : nothing
      if (allowed.length === 0) return undefined
      return [
        ...['access-control-allow-methods', allowed.join(', ')],
        ...['access-control-allow-headers', allowedHeaders],
        ...['access-control-max-age', maxAgeSeconds],
      ]
    },
  }
}

/** An origin as browsers write it. Throws an Error that says what is wrong. */
export function parseOrigin(text: string): string {
  const origin = URL.parse(text)?.origin
  if (origin === text && /^https?:/.test(text)) return text
  throw new Error(`must hold origins such as https://shop.example, without a path or a slash.`)
}
