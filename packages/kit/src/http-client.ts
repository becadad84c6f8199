import { Pool } from 'undici'
import type { AddressSource } from './address-source.ts'
import { type Attempt, createBalancer } from './balancer.ts'
import type { Breaker } from './breaker.ts'
import type { InstanceView, Verdict } from './discovery.ts'
import { AppError } from './errors.ts'
import type { Logger } from './logging.ts'
import type { Metrics } from './metrics.ts'
import { createHttpProbe, type ProbeTimes } from './readiness.ts'
import { type RetryBudget, upstreamUnavailable } from './resilience.ts'
import { httpClientFacts } from './span-facts.ts'
import { openSpan, toErrorType } from './spans.ts'
import { deadlineHeader, formatTraceparent, remainingMs } from './trace.ts'

export type HttpCall = {
  method: string
  path: string
  headers?: Readonly<Record<string, string>>
  /** Sent as JSON, unless it is text or bytes. */
  body?: unknown
  deadlineMs?: number
  signal?: AbortSignal
  /** Whether the call may be repeated; GET and HEAD always may. */
  isIdempotent?: boolean
  /** Milliseconds after which a call that may be repeated is also sent to another instance. */
  hedgeAfterMs?: number
}

/** Any answer, whatever its status; `body` is parsed when it is JSON. */
export type HttpAnswer = {
  status: number
  headers: Readonly<Record<string, string | string[] | undefined>>
  body: unknown
}

export type HttpClient = {
  /**
   * @throws unavailable `UPSTREAM_UNAVAILABLE` when no instance answered in time, `UPSTREAM_BUSY`
   *   when too many calls wait.
   */
  request(call: HttpCall): Promise<HttpAnswer>
  instances(): readonly InstanceView[]
  /** Begins to follow addresses and readiness, as the first call does. */
  start(): Promise<void>
  close(): Promise<void>
}

export type HttpClientOptions = {
  /** The service called, for messages. */
  name: string
  /** Items as `parseAddress` reads them, or what tells the addresses. */
  addresses: readonly string[] | AddressSource
  deadlineMs: number
  /** Sockets per instance. */
  connections?: number
  /** Calls in flight, and calls that may wait for a place. */
  maxInFlight?: number
  maxWaiting?: number
  /** Has instances asked for their readiness all the time: not worth it for rare calls. */
  probing?: ProbeTimes | undefined
  retryBudget?: RetryBudget
  createBreaker?: () => Breaker
  metrics?: Metrics
  logger?: Logger
}

// Shorter than the servers' 65 s, so that we never write into a socket being closed.
const idleSocketMs = 30_000
// Inside one network a connection takes under a millisecond; a second means a lost packet.
const connectLimitMs = 1_000
// Larger answers are streamed, not asked for through this client.
const maxAnswerBytes = 8 * 1024 * 1024

/** The undici pool that we use towards one instance: no pipelining, bounded in every way. */
export function createInstancePool(address: string, options: { connections: number }): Pool {
  return new Pool(address, {
    connections: options.connections,
    // One request at a time on a socket: a slow one does not hold up others behind it.
    pipelining: 1,
    keepAliveTimeout: idleSocketMs,
    keepAliveMaxTimeout: idleSocketMs,
    connect: { timeout: connectLimitMs },
  })
}

/** A client of one service, for calls that are small and answered as a whole. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { name, deadlineMs, connections = 32, maxInFlight = 128, maxWaiting = 128 } = options
  const balancer = createBalancer<Pool>({
    ...options,
    kind: 'http',
    maxInFlight,
    maxWaiting,
    maxInFlightPerInstance: connections,
    connect: (address) => createInstancePool(address, { connections }),
    disconnect: (pool) => pool.destroy(),
    verdictOf: verdictOfHttpError,
    createProbe: options.probing && createHttpProbe,
  })

  return {
    async request(call) {
      const leftMs = remainingMs(call.deadlineMs ?? deadlineMs)
      if (leftMs < 1) throw upstreamUnavailable(name)
      try {
        return await balancer.run({
          send: (attempt) => send(attempt, call, name),
          deadlineMs: leftMs,
          isRepeatable: call.isIdempotent ?? ['GET', 'HEAD'].includes(call.method),
          signal: call.signal,
          hedgeAfterMs: call.hedgeAfterMs,
        })
      } catch (error) {
        if (call.signal?.aborted) throw call.signal.reason
        throw error instanceof AppError ? error : upstreamUnavailable(name, error)
      }
    },
    instances: balancer.instances,
    start: balancer.start,
    close: balancer.close,
  }
}

async function send(attempt: Attempt<Pool>, call: HttpCall, peer: string): Promise<HttpAnswer> {
  const span = openSpan('client')
  let status: number | undefined
  let failure: string | undefined
  const isText = typeof call.body === 'string' || Buffer.isBuffer(call.body)
  const body = isText || call.body === undefined ? call.body : JSON.stringify(call.body)
  const controller = new AbortController()
  const cancel = (reason: unknown) => controller.abort(reason)
  const onAbort = () => cancel(call.signal?.reason)
  const timer = setTimeout(() => cancel(noAnswerInTime()), attempt.leftMs)
  attempt.cancel = cancel
  call.signal?.addEventListener('abort', onAbort, { once: true })
  try {
    const answer = await attempt.instance.connection.request({
      method: call.method as 'GET',
      path: call.path,
      headers: {
        ...(call.body !== undefined && !isText ? { 'content-type': 'application/json' } : {}),
        traceparent: formatTraceparent(span.trace),
        [deadlineHeader]: String(Math.floor(attempt.leftMs)),
        ...call.headers,
      },
      body: (body as string | Buffer | undefined) ?? null,
      signal: controller.signal,
    })
    status = answer.statusCode
    attempt.verdict = verdictOfAnswer(answer.statusCode, answer.headers['content-type'])
    if (attempt.mayTryElsewhere() || !attempt.claim()) {
      cancel(new Error('Another instance answers.'))
      await answer.body.dump({ limit: 0 })
      throw new Error(`The answer was ${answer.statusCode}.`)
    }
    const text = await readBounded(answer.body)
    const isJson = /[/+]json\b/.test(String(answer.headers['content-type'] ?? ''))
    const parsed: unknown = isJson && text !== '' ? JSON.parse(text) : text
    return { status, headers: answer.headers, body: parsed }
  } catch (error) {
    failure = toErrorType(error)
    throw error
  } finally {
    const { address } = attempt.instance
    span.end(() => httpClientFacts({ method: call.method, peer, address, status, failure }))
    clearTimeout(timer)
    call.signal?.removeEventListener('abort', onAbort)
  }
}

function noAnswerInTime(): Error {
  return Object.assign(new Error('No answer in time.'), { code: 'ETIMEDOUT' })
}

async function readBounded(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxAnswerBytes) throw new Error('The answer is too large.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size).toString('utf8')
}

const connectErrorCodes = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Whether the connection itself failed, so that no byte of the request can have been served. */
export function isConnectError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('code' in error && connectErrorCodes.has(String(error.code))) return true
  // A server that closes resets connections that it had not taken yet.
  if ('syscall' in error && error.syscall === 'connect') return true
  return error instanceof AggregateError && error.errors.some(isConnectError)
}

/** What a failed request shows of the instance it went to. */
export function verdictOfHttpError(error: unknown): Verdict {
  if (isConnectError(error)) return 'unsent'
  // Errors of sockets, of the protocol and of time have codes; what has none is a fault of ours.
  const hasCode = error instanceof Error && 'code' in error && typeof error.code === 'string'
  return hasCode ? 'broken' : 'worked'
}

/**
 * What an answer shows of its instance. A problem document with 503 or 504 is the service's own
 * word: it runs, but its database, a neighbour or its capacity does not allow the work. Its other
 * routes may well work, so it keeps its place and is merely asked after others for a moment. The
 * same status without one comes from something broken.
 */
export function verdictOfAnswer(status: number, contentType: unknown): Verdict {
  if (status < 502 || status > 504) return 'worked'
  const isOwnWord =
    typeof contentType === 'string' && contentType.startsWith('application/problem+json')
  return isOwnWord ? 'refused' : 'broken'
}
