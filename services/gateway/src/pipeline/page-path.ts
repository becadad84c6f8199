import type { PublicRoute } from '@halles/contracts/gen/routing'
import { AppError } from '@halles/kit/errors'

/** Addresses of pages carry search words and places to return to. */
const maxTargetLength = 4_096

/** What RFC 3986 lets stand in a path, in segments that are not empty except for the last one. */
const pagePath = /^(?:\/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*\/?$/
const dotSegment = /\/\.{1,2}(?:\/|$)/
const escapes = /%([0-9A-Fa-f]{2})/g
const visible = /^[\x21-\x7e]*$/

/** Paths that belong to the gateway itself, whatever the contract says. */
const documents = ['/docs', '/openapi.json', '/asyncapi.json']
const ownPaths = [...documents, '/api', '/internal', '/healthz', '/readyz', '/metrics']
const ownFolders = ['/api/', '/internal/']

/** Tells whether a target is a page's; all others are the contract's or the gateway's own. */
export type IsPage = (target: string) => boolean

/** Pages are what is neither a route of the contract nor the gateway's own. */
export function createPageTest(routes: readonly PublicRoute[]): IsPage {
  const others = routes.map(({ path }) => path).filter((path) => !path.startsWith('/api/'))
  const exact = new Set([...ownPaths, ...others])
  const folders = new Set(ownFolders)
  for (const path of others) {
    if (path.includes('{')) folders.add(path.slice(0, path.indexOf('{')))
  }
  return (target) => {
    const path = pathOf(target)
    // `*` and absolute addresses are refused where every path of the contract is.
    if (!path.startsWith('/') || exact.has(path)) return false
    for (const folder of folders) if (path.startsWith(folder)) return false
    return true
  }
}

/**
 * Refuses what the web server could read in another way than we do. Letters of any language may
 * come escaped; what is never escaped honestly may not, nor may what separates or ends a path.
 * Throws `INVALID_PATH`, `TARGET_TOO_LONG`.
 */
export function checkPageTarget(target: string): void {
  if (target.length > maxTargetLength) {
    throw new AppError('too-large', 'TARGET_TOO_LONG', 'The address is too long.')
  }
  const path = pathOf(target)
  if (!visible.test(target) || !pagePath.test(path) || dotSegment.test(path)) throw invalidPath()
  for (const [, code = ''] of path.matchAll(escapes)) {
    if (isSuspicious(Number.parseInt(code, 16))) throw invalidPath()
  }
  if (path.includes('%') && !isUtf8(path)) throw invalidPath()
}

function pathOf(target: string): string {
  const end = target.indexOf('?')
  return end < 0 ? target : target.slice(0, end)
}

/** Controls, `%` (double encoding), `/` and `\`, and all that needs no escape: letters, digits, `-._~`. */
function isSuspicious(code: number): boolean {
  if (code < 0x20 || code === 0x7f) return true
  return code < 0x80 && /[A-Za-z0-9._~%/\\-]/.test(String.fromCharCode(code))
}

function isUtf8(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch (error) {
    if (error instanceof URIError) return false
    throw error
  }
}

function invalidPath(): AppError {
  return new AppError('invalid', 'INVALID_PATH', 'The path has characters that no page has.', {
    errors: [{ pointer: '/path', detail: 'must be plain segments' }],
  })
}
