import type { IncomingHttpHeaders } from 'node:http'

/**
 * Whether a request that changes something comes from one of our own pages. Browsers tell by
 * `Sec-Fetch-Site`; those that are too old for it tell by `Origin`. Who sends neither is no browser,
 * and has no cookie that a foreign page could misuse.
 */
export function isFromOurPages(headers: IncomingHttpHeaders, publicUrl: string): boolean {
  const site = headers['sec-fetch-site']
  // A person who types an address or opens a bookmark is `none`; that never posts a form of others.
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  const { origin } = headers
  if (origin === undefined) return headers.cookie === undefined
  const host = first(headers['x-forwarded-host']) ?? headers.host
  const parsed = URL.parse(origin)
  return parsed !== null && (parsed.origin === new URL(publicUrl).origin || parsed.host === host)
}

function first(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}
