import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream } from 'node:stream/web'
import type { Logger } from '@halles/kit/logging'
import type { Metrics } from '@halles/kit/metrics'
import { readBody } from './server/body.ts'
import { compressionFor } from './server/compression.ts'
import type { Live } from './server/live.ts'
import { isFromOurPages } from './server/origin.ts'
import type { Pages } from './server/pages.ts'
import { servePicture } from './server/pictures.ts'
import { securityHeaders } from './server/security-headers.ts'
import { openVisit, type Visit, type VisitDeps } from './server/visit.ts'

export type FrontDeps = VisitDeps & {
  pages: () => Pages
  live: Live
  paymentOrigins: readonly string[]
  metrics: Metrics
  logger: Logger
  isReady: () => boolean
}

const methods = ['GET', 'HEAD', 'POST']
const probes = new Set(['/healthz', '/readyz'])

/** Serves files, events and pages; `pass` hands the probes on to the server's own routes. */
export function createFront(deps: FrontDeps) {
  const { metrics, logger } = deps
  return (request: IncomingMessage, response: ServerResponse, pass: () => void): void => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    if (probes.has(path)) {
      pass()
      return
    }
    if (!deps.isReady()) response.shouldKeepAlive = false
    const startedAtMs = performance.now()
    const exchange: Exchange = { request, response, path, kind: 'page' }
    response.once('close', () => {
      const seconds = (performance.now() - startedAtMs) / 1_000
      metrics.observeHttp(exchange.kind, request.method ?? 'GET', response.statusCode, seconds)
    })
    answer(deps, exchange).catch((error: unknown) => {
      // The visitor may have gone away while the page was written; that is nobody's fault.
      if (!response.destroyed) logger.error({ error, path }, 'A page could not be answered.')
      if (response.headersSent) response.destroy()
      else refuse(response, 500)
    })
  }
}

type Exchange = {
  request: IncomingMessage
  response: ServerResponse
  path: string
  /** For the metrics: a path would be a series of its own. */
  kind: 'file' | 'live' | 'page' | 'data'
}

async function answer(deps: FrontDeps, exchange: Exchange): Promise<void> {
  const { request, response, path } = exchange
  const method = request.method ?? 'GET'
  if (!methods.includes(method)) return refuse(response, 405)
  if (method !== 'POST' && (await deps.pages().serveFile(path, request, response))) {
    exchange.kind = 'file'
    return
  }
  if (method !== 'POST' && servePicture(path, request.url ?? '', response)) {
    exchange.kind = 'file'
    return
  }
  if (path.startsWith('/assets/')) return refuse(response, 404)
  if (method === 'POST' && !isFromOurPages(request.headers, deps.publicUrl)) {
    return refuse(response, 403)
  }
  const body = method === 'POST' ? await readBody(request, path) : undefined
  if (body === 'too large') return refuse(response, 413)
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const clientAddress = clientOf(request)
  const { cookie } = request.headers
  const visit = await openVisit(deps, { cookie, clientAddress, signal: gone.signal })
  if (path === '/live/cart') {
    exchange.kind = 'live'
    return deps.live.followCart(visit, clientAddress, response)
  }
  if (path === '/live/system') {
    exchange.kind = 'live'
    return deps.live.followSystem(visit, clientAddress, response)
  }
  if (path.endsWith('.data') || path === '/__manifest') exchange.kind = 'data'
  const nonce = randomBytes(16).toString('base64')
  const made = await deps.pages().answer(toRequest(deps, exchange, { body, gone }), visit, nonce)
  await write(deps, exchange, { made, visit, nonce })
}

/** Who asks: the gateway in front tells, and nobody else can reach this process. */
function clientOf({ headers, socket }: IncomingMessage): string {
  const forwarded = headers['x-forwarded-for']
  const chain = Array.isArray(forwarded) ? forwarded.join(',') : forwarded
  return chain?.split(',').at(-1)?.trim() || (socket.remoteAddress ?? 'unknown')
}

function toRequest(
  { publicUrl }: FrontDeps,
  { request, path }: Exchange,
  { body, gone }: { body: Buffer | undefined; gone: AbortController },
): Request {
  const headers = new Headers()
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value)
  }
  // Checked already, against every address that the shop has; React Router knows only one.
  headers.delete('origin')
  const query = (request.url ?? '').slice(path.length)
  // A path with two slashes at its beginning would otherwise name a host.
  const url = new URL(publicUrl)
  url.pathname = path.replace(/^\/+/, '/')
  url.search = query
  return new Request(url, {
    method: request.method ?? 'GET',
    headers,
    signal: gone.signal,
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  })
}

async function write(
  deps: FrontDeps,
  { request, response }: Exchange,
  { made, visit, nonce }: { made: Response; visit: Visit; nonce: string },
): Promise<void> {
  const { paymentOrigins, publicUrl } = deps
  const isSecure = publicUrl.startsWith('https:')
  const { policy } = deps.pages()
  const more = policy ? { more: policy } : {}
  response.statusCode = made.status
  for (const [name, value] of made.headers) {
    if (name !== 'set-cookie') response.setHeader(name, value)
  }
  const cookies = [...made.headers.getSetCookie(), ...visit.cookies]
  if (cookies.length > 0) response.setHeader('set-cookie', cookies)
  const guards = securityHeaders({ nonce, paymentOrigins, isSecure, ...more })
  for (const [name, value] of Object.entries(guards)) {
    if (!response.hasHeader(name)) response.setHeader(name, value)
  }
  if (!response.hasHeader('cache-control')) {
    response.setHeader('cache-control', 'private, no-cache')
  }
  if (made.body === null || request.method === 'HEAD') {
    response.end()
    return
  }
  const body = Readable.fromWeb(made.body as ReadableStream)
  const isText = /^(text\/|image\/svg|application\/json)/.test(
    made.headers.get('content-type') ?? '',
  )
  if (!isText) return pipeline(body, response)
  response.setHeader('vary', 'accept-encoding, cookie')
  const { encoding, stream } = compressionFor(request.headers['accept-encoding'] as string)
  if (encoding) response.setHeader('content-encoding', encoding)
  response.removeHeader('content-length')
  await pipeline(body, stream, response)
}

/** A refusal that no page of ours leads to, so it is no page. */
function refuse(response: ServerResponse, status: number): void {
  const body = `${status}\n`
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    connection: 'close',
    ...(status === 405 ? { allow: methods.join(', ') } : {}),
  })
  response.end(body)
}
