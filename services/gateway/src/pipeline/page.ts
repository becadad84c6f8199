import type { IncomingHttpHeaders } from 'node:http'
import { AppError } from '@halles/kit/errors'
import { commonHeaders, type Exchange } from '../answer.ts'
import type { Upstream } from '../upstream.ts'
import { checkPageTarget } from './page-path.ts'
import { passThrough } from './pass-through.ts'

const methods = ['GET', 'HEAD', 'POST']
const formLimitBytes = 1024 * 1024
// Pictures and whole catalogues are sent from the office alone.
const officeLimitBytes = 20 * 1024 * 1024

/** What the web server gets of the browser's headers. */
const forwarded = [
  'cookie',
  'accept',
  'accept-encoding',
  'accept-language',
  'content-type',
  'origin',
  'sec-fetch-site',
  'sec-fetch-mode',
  'sec-fetch-dest',
  'if-none-match',
  'if-modified-since',
  'user-agent',
  'range',
  'if-range',
] as const

/** What the browser gets of the web server's; what is between the two servers stays there. */
const passedOn = [
  'set-cookie',
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-disposition',
  'content-range',
  'content-security-policy',
  'cache-control',
  'clear-site-data',
  'etag',
  'vary',
  'location',
  'last-modified',
  'link',
  'accept-ranges',
  'retry-after',
  'referrer-policy',
  'permissions-policy',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'x-frame-options',
  'x-robots-tag',
  // React Router tells its own client so what a data answer is.
  'x-remix-response',
  'x-remix-reload-document',
] as const

/** Throws what is wrong with a request for a page: `INVALID_PATH`, `METHOD_NOT_ALLOWED`, … */
export function checkPage({ request }: Exchange): void {
  checkPageTarget(request.url ?? '/')
  if (methods.includes(request.method ?? '')) return
  throw new AppError('not-allowed', 'METHOD_NOT_ALLOWED', 'Pages have other methods.', {
    details: { allow: methods },
  })
}

/** From the web server. Its pages are personal: none is cached here. */
export function answerFromWeb(
  web: Upstream,
  exchange: Exchange,
  closing: AbortSignal,
): Promise<void> {
  const { request } = exchange
  const isOffice = request.url?.startsWith('/office')
  return passThrough(exchange, {
    upstream: web,
    target: request.url ?? '/',
    headers: forwardedHeaders(exchange),
    bodyLimitBytes: isOffice ? officeLimitBytes : formLimitBytes,
    isRepeatable: request.method !== 'POST',
    streamUntil: request.headers.accept === 'text/event-stream' ? closing : undefined,
    toHeaders: pageHeaders,
  })
}

// A host name, an IPv4 address or a bracketed IPv6 address, and a port.
const plainHost = /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/

function forwardedHeaders({ request, client }: Exchange): Record<string, string> {
  const headers: Record<string, string> = {
    'x-forwarded-for': client.address,
    'x-forwarded-proto': client.protocol,
  }
  const { host } = request.headers
  if (host !== undefined && plainHost.test(host)) headers['x-forwarded-host'] = host
  for (const name of forwarded) {
    const value = request.headers[name]
    if (typeof value === 'string') headers[name] = value
  }
  return headers
}

function pageHeaders(exchange: Exchange, upstream: IncomingHttpHeaders): string[] {
  const headers = commonHeaders(exchange)
  for (const name of passedOn) {
    const value = upstream[name]
    // Cookies come one by one: they cannot be joined as other lists can.
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined) headers.push(name, each)
    }
  }
  if (upstream['cache-control'] === undefined) headers.push('cache-control', 'no-store')
  return headers
}
