import { AppError, errorTable } from '@halles/kit/errors'
import { commonHeaders, type Exchange, retryAfter } from '../answer.ts'

const body = Buffer.from(`<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Back in a moment</title>
<style>:root{color-scheme:light dark}body{font:18px/1.6 system-ui,sans-serif;max-width:32rem;
margin:18vh auto;padding:0 1.5rem}a{color:light-dark(#0b6b43,#5fd3a0)}</style></head>
<body><h1>Back in a moment</h1><p>This page cannot be shown right now. Nothing is lost: your cart and
your orders are kept.</p><p><a href="">Try again</a></p></body></html>`)

/**
 * Answers a browser that a page is not to be had now with a page of ours that needs nothing else.
 * Returns whether it did: programs are told by a problem document.
 */
export function answerClosedPage(exchange: Exchange, error: unknown): boolean {
  const { request, response } = exchange
  if (!exchange.isPage || response.headersSent || !(error instanceof AppError)) return false
  if (error.kind !== 'unavailable' && error.kind !== 'timeout') return false
  if (!request.headers.accept?.includes('text/html')) return false
  const headers = commonHeaders(exchange)
  headers.push('content-type', 'text/html; charset=utf-8', 'content-length', String(body.length))
  headers.push('cache-control', 'no-store', 'retry-after', retryAfter(error) ?? '5')
  headers.push(
    'content-security-policy',
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  )
  if (!request.complete) headers.push('connection', 'close')
  response.writeHead(errorTable[error.kind].http, headers)
  response.end(request.method === 'HEAD' ? undefined : body)
  return true
}
