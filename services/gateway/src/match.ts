import type { PublicRoute } from '@halles/contracts/gen/routing'
import { AppError } from '@halles/kit/errors'
import createRouter from 'find-my-way'

/** What a request's method and target mean. */
export type Match = {
  readonly route: PublicRoute
  readonly path: string
  /** The query with its parameters in one order, without the `?`; empty when there is none. */
  readonly query: string
  /** False when the query has parameters that the route does not know: never cached. */
  readonly isCanonical: boolean
}

// No path of ours needs more, and a proxy that decodes paths differently from the service behind
// it is how access rules are walked around: such targets are refused, not cleaned.
const plainPath = /^(?:\/[A-Za-z0-9._~-]+)+\/?$|^\/$/
const dotSegment = /\/\.{1,2}(?:\/|$)/
// Escaped text, but no fragment: that belongs to the browser and is never sent by one.
const plainQuery = /^[\x21-\x22\x24-\x7e]*$/
const maxTargetLength = 2_048

/** Finds the route of a request target. Returns undefined when none of the contract has the path. */
export type Matcher = (method: string, target: string) => Match | undefined

/**
 * Compiles the routes of the contract.
 * The matcher throws `INVALID_PATH`, `TARGET_TOO_LONG`, `METHOD_NOT_ALLOWED`.
 */
export function createMatcher(routes: readonly PublicRoute[]): Matcher {
  const router = compile(routes)
  const methodsAt = createMethodFinder(routes)

  return (method, target) => {
    if (target.length > maxTargetLength) {
      throw new AppError('too-large', 'TARGET_TOO_LONG', 'The address is too long.')
    }
    const end = target.indexOf('?')
    const path = end < 0 ? target : target.slice(0, end)
    const query = end < 0 ? '' : target.slice(end + 1)
    if (!plainPath.test(path) || dotSegment.test(path) || !plainQuery.test(query)) {
      throw new AppError(
        'invalid',
        'INVALID_PATH',
        'The path has characters that no path here has.',
        {
          errors: [{ pointer: '/path', detail: 'must be plain segments, without escapes' }],
        },
      )
    }
    // HEAD is a GET whose body is not sent.
    const found = router.find((method === 'HEAD' ? 'GET' : method) as 'GET', path)
    if (found) {
      const route = found.store as PublicRoute
      return { route, path, ...toCanonical(query, route.query) }
    }
    const allowed = methodsAt(path)
    if (allowed.length === 0) return undefined
    throw new AppError('not-allowed', 'METHOD_NOT_ALLOWED', 'This path has other methods.', {
      details: { allow: allowed },
    })
  }
}

/** Tells the methods of the contract at a target; none where no route has its path. */
export function createMethodFinder(
  routes: readonly PublicRoute[],
): (target: string) => readonly string[] {
  const router = compile(routes)
  const methods = [...new Set(routes.map(({ method }) => method))].sort()
  return (target) => {
    const [path = ''] = target.split('?', 1)
    return methods.filter((method) => router.find(method as 'GET', path))
  }
}

function compile(routes: readonly PublicRoute[]) {
  const router = createRouter({ ignoreTrailingSlash: false, caseSensitive: true })
  for (const route of routes) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1')
    router.on(route.method as 'GET', path, () => undefined, route)
  }
  return router
}

function toCanonical(
  query: string,
  known: readonly string[],
): { query: string; isCanonical: boolean } {
  if (query === '') return { query, isCanonical: true }
  const parts = query.split('&').sort()
  const names = parts.map((part) => part.split('=', 1)[0] as string)
  const isCanonical =
    names.every((name) => known.includes(name)) && new Set(names).size === names.length
  return { query: isCanonical ? parts.join('&') : query, isCanonical }
}
