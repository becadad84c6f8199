import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { AppError, toProblem } from '@halles/kit/errors'
import { formatTraceparent, type Trace } from '@halles/kit/trace'
import { hasBody, skipBody } from './body.ts'
import type { Client } from './pipeline/client.ts'
import type { RateDecision } from './rate-limit.ts'

/** One request on its way through the pipeline. */
export type Exchange = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly trace: Trace
  readonly client: Client
  readonly startedAtMs: number
  /** When its time is over; like `startedAtMs`, on the monotonic clock. */
  deadlineAtMs: number
  /** The route's path pattern, for metrics. */
  route: string
  /** Whether it asks for a page of the web server. */
  isPage: boolean
  /** What the answer says to pages of other origins. */
  readonly cors: readonly string[]
  /** Whether it went on to the gateway's own server. */
  isPassed: boolean
  /** How the cache found its answer, where it was asked. */
  cached: string | undefined
  rate?: { decision: RateDecision; name: string; policy: string }
}

/** What a service's answer may tell the client; everything else stays inside. */
const passedOn = [
  'content-type',
  'content-length',
  'cache-control',
  'etag',
  'location',
  'retry-after',
  'www-authenticate',
  'allow',
  'vary',
] as const

const anySafety = ['x-content-type-options', 'nosniff']
// Only over TLS, since it is ignored elsewhere; a year, as preload lists ask for.
const httpsOnly = ['strict-transport-security', 'max-age=31536000']
// No other site may load an answer of the API into its own process; pages say so of themselves.
const ownOrigin = ['cross-origin-resource-policy', 'same-origin']
const apiSafety = {
  http: [...anySafety, ...ownOrigin],
  https: [...anySafety, ...ownOrigin, ...httpsOnly],
}
const pageSafety = { http: anySafety, https: [...anySafety, ...httpsOnly] }

/** Headers of every answer of the gateway, as Node's flat list of names and values. */
export function commonHeaders(exchange: Exchange): string[] {
  const headers = [
    'x-request-id',
    exchange.trace.traceId,
    'traceparent',
    formatTraceparent(exchange.trace),
    ...(exchange.isPage ? pageSafety : apiSafety)[exchange.client.protocol],
  ]
  const { rate, cors } = exchange
  if (cors.length > 0) headers.push(...cors)
  if (rate) {
    const { remaining, resetSeconds } = rate.decision
    headers.push('ratelimit-policy', rate.policy)
    headers.push('ratelimit', `"${rate.name}";r=${remaining};t=${resetSeconds}`)
  }
  return headers
}

/** The headers for a service's answer that is passed on as it comes. */
export function passedHeaders(exchange: Exchange, upstream: IncomingHttpHeaders): string[] {
  const headers = commonHeaders(exchange)
  for (const name of passedOn) {
    const value = upstream[name]
    if (typeof value === 'string') headers.push(name, value)
  }
  // Personal or changing answers must not stay in a browser or proxy, unless the service says so.
  if (upstream['cache-control'] === undefined) headers.push('cache-control', 'no-store')
  return headers
}

// Under the 16 KB that Node copies to the socket in one piece, with room for the head.
const mergedBytes = 12 * 1024

/**
 * Ends an answer whose head is written with its whole body. Text of one byte per character goes out
 * together with the head in one piece; a buffer is a second one, with work of its own in Node.
 */
export function endWith(response: ServerResponse, body: Buffer): void {
  if (body.length > mergedBytes) response.end(body)
  else response.end(body.toString('latin1'), 'latin1')
}

/** Answers with a problem document (RFC 9457) and the headers that its status asks for. */
export function answerProblem(exchange: Exchange, error: unknown): void {
  const { request, response } = exchange
  if (response.headersSent) {
    // The answer has begun: breaking it off is the only way left to say that it is not whole.
    response.destroy()
    return
  }
  skipBody(request, () => writeProblem(exchange, error))
}

function writeProblem(exchange: Exchange, error: unknown): void {
  const { request, response, trace } = exchange
  // Gone, or answered on the bare socket because what came was not HTTP.
  if (!request.socket.writable) return
  const problem = toProblem(error, trace.traceId)
  const body = Buffer.from(JSON.stringify(problem))
  const headers = commonHeaders(exchange)
  headers.push('content-type', 'application/problem+json; charset=utf-8')
  headers.push('content-length', String(body.length), 'cache-control', 'no-store')
  if (problem.status === 401) headers.push('www-authenticate', 'Bearer')
  if (Array.isArray(problem.allow)) headers.push('allow', problem.allow.join(', '))
  const seconds = retryAfter(error)
  if (seconds !== undefined) headers.push('retry-after', seconds)
  // A body that was not read would be taken for the next request on this socket.
  if (!request.complete && hasBody(request)) headers.push('connection', 'close')
  response.writeHead(problem.status, headers)
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** The value of `Retry-After`: whole seconds, at least one. */
export function retryAfter(error: unknown): string | undefined {
  if (!(error instanceof AppError) || error.retryAfterSeconds === undefined) return undefined
  return String(Math.max(1, Math.ceil(error.retryAfterSeconds)))
}
