import type { IncomingMessage } from 'node:http'
import { AppError } from '@halles/kit/errors'

const safe = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Refuses a change that the page of another site asks a browser to make. Pages know who is signed
 * in by a cookie, which the browser adds by itself; the API takes no cookie and needs none of this.
 * Browsers say where a request comes from by `Sec-Fetch-Site`, older ones by `Origin`; whoever says
 * neither is no browser, and has nobody's cookie.
 */
export function refuseCrossSite({ method = '', headers }: IncomingMessage): void {
  if (safe.has(method)) return
  const site = headers['sec-fetch-site']
  const { origin, host } = headers
  const isOwn =
    site !== undefined
      ? site === 'same-origin' || site === 'none'
      : origin === undefined || URL.parse(origin)?.host === host
  if (isOwn) return
  throw new AppError('forbidden', 'CROSS_SITE_REQUEST', 'Another site cannot do this for you.')
}
