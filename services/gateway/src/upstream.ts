import type { IncomingHttpHeaders } from 'node:http'
import { type Attempt, createBalancer } from '@halles/kit/balancer'
import type { InstanceView } from '@halles/kit/discovery'
import { AppError } from '@halles/kit/errors'
import { createInstancePool, verdictOfAnswer, verdictOfHttpError } from '@halles/kit/http-client'
import type { Logger } from '@halles/kit/logging'
import type { Metrics } from '@halles/kit/metrics'
import { createHttpProbe } from '@halles/kit/readiness'
import { type Cancellation, upstreamUnavailable } from '@halles/kit/resilience'
import { httpClientFacts } from '@halles/kit/span-facts'
import { openSpan, type Tracer, toErrorType } from '@halles/kit/spans'
import { deadlineHeader, formatTraceparent, type Trace } from '@halles/kit/trace'
import type { Dispatcher, Pool } from 'undici'

/** A request as it goes to a service. */
export type UpstreamRequest = {
  readonly method: string
  /** Path and query. */
  readonly target: string
  /** The trace and what is left of the deadline are told besides. */
  readonly headers: Readonly<Record<string, string>>
  /** The span that each attempt is below. */
  readonly trace?: Trace | undefined
  readonly body: Buffer | null
  /**
   * Milliseconds until the head of the answer, whatever the attempts, and between two parts of its
   * body; 0 for an answer without end.
   */
  readonly deadlineMs: number
  /** Whether it may be sent again after it may have been served. */
  readonly isRepeatable: boolean
  /** Tells when the client goes away. */
  readonly signal: Cancellation
  /** Milliseconds after which a repeatable request is also sent to another instance. */
  readonly hedgeAfterMs?: number
}

/** Takes the answer as it arrives. `onData` may return a promise to be waited for (backpressure). */
export type AnswerSink = {
  onHead(status: number, headers: IncomingHttpHeaders): void
  onData(chunk: Buffer): Promise<void> | undefined
}

export type Upstream = {
  readonly service: string
  /**
   * Sends the request to one instance, to others when that is safe, and resolves at the end of the
   * answer. Throws unavailable `UPSTREAM_UNAVAILABLE`, `UPSTREAM_BUSY`; timeout `UPSTREAM_TIMEOUT`.
   */
  send(request: UpstreamRequest, sink: AnswerSink): Promise<void>
  instances(): readonly InstanceView[]
  /** Begins to follow addresses and readiness. */
  start(): Promise<void>
  close(): Promise<void>
}

/** Streams have sockets of their own, or a few watchers would leave none for requests. */
type Connection = { readonly calls: Pool; readonly streams: Pool }

// Enough to keep two cores of a service busy. Requests at one service at once, and waiting for a
// place: a slow service fills its own places and no one else's, and a frozen instance half of them
// at most. At 1,000 requests a second the queue is a quarter of a second long.
const maxInFlightPerInstance = 128
const maxInFlight = 256
const maxWaiting = 256
// What one process of carts serves by default.
const maxStreams = 1_000
// A stream begins as fast as any answer, and then says something every 15 s at least.
const streamHeadMs = 10_000
const streamSilenceMs = 45_000

/** The way to one service. */
export function createUpstream(
  service: string,
  addresses: readonly string[],
  {
    logger,
    metrics,
    tracer,
  }: { logger?: Logger; metrics?: Metrics; tracer?: Tracer | undefined } = {},
): Upstream {
  const balancer = createBalancer<Connection>({
    name: service,
    addresses,
    kind: 'http',
    logger,
    metrics,
    maxInFlight,
    maxInFlightPerInstance,
    maxWaiting,
    maxStreams,
    connect: (address) => ({
      calls: createInstancePool(address, { connections: maxInFlightPerInstance }),
      streams: createInstancePool(address, { connections: maxStreams }),
    }),
    async disconnect({ calls, streams }) {
      await Promise.all([calls.destroy(), streams.destroy()])
    },
    createProbe: createHttpProbe,
    verdictOf: verdictOfHttpError,
  })
  return {
    service,
    async send(request, sink) {
      try {
        await balancer.run({
          send: (attempt) => dispatch(attempt, request, sink, { peer: service, tracer }),
          deadlineMs: request.deadlineMs,
          isRepeatable: request.isRepeatable,
          isStream: request.deadlineMs === 0,
          signal: request.signal,
          hedgeAfterMs: request.hedgeAfterMs,
        })
      } catch (error) {
        throw request.signal.aborted ? error : toAppError(error, service)
      }
    },
    instances: balancer.instances,
    start: balancer.start,
    close: balancer.close,
  }
}

/** Sends to one instance and feeds the sink; resolves at the end of the answer. */
function dispatch(
  attempt: Attempt<Connection>,
  request: UpstreamRequest,
  sink: AnswerSink,
  { peer, tracer }: { peer: string; tracer: Tracer | undefined },
): Promise<void> {
  const { trace, method } = request
  const { address } = attempt.instance
  const span = openSpan('client', trace && { trace, tracer })
  let answered: number | undefined
  return new Promise((resolve, reject) => {
    const { signal } = request
    const { calls, streams } = attempt.instance.connection
    const isStream = request.deadlineMs === 0
    // Not hung on the attempt where it need not be: V8 soon makes such objects long-lived, and with
    // them all that they hold, which cost a third of the processor time of a request.
    let abort: ((reason: Error) => void) | undefined
    const onAbort = () => abort?.(new Error('The client went away.'))
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        abort = (reason) => controller.abort(reason)
        if (attempt.mayHaveRival) attempt.cancel = abort
        if (signal.aborted) onAbort()
      },
      onResponseStart(controller, status, headers) {
        // 1xx answers are between us and the service.
        if (status < 200) return
        answered = status
        attempt.verdict = verdictOfAnswer(status, headers['content-type'])
        if (attempt.mayTryElsewhere() || !attempt.claim()) {
          controller.abort(new Error(`Another instance answers; this one said ${status}.`))
          return
        }
        sink.onHead(status, headers as IncomingHttpHeaders)
      },
      onResponseData(controller, chunk) {
        const drained = sink.onData(chunk as Buffer)
        if (!drained) return
        controller.pause()
        drained.then(
          () => controller.resume(),
          (error: Error) => controller.abort(error),
        )
      },
      onResponseEnd() {
        signal.removeEventListener('abort', onAbort)
        span.end(() => httpClientFacts({ method, peer, address, status: answered }))
        resolve()
      },
      onResponseError(_controller, error) {
        signal.removeEventListener('abort', onAbort)
        const failure = toErrorType(error)
        span.end(() => httpClientFacts({ method, peer, address, status: answered, failure }))
        reject(error)
      },
    }
    signal.addEventListener('abort', onAbort, { once: true })
    const pool = isStream ? streams : calls
    pool.dispatch(
      {
        method: method as Dispatcher.HttpMethod,
        path: request.target,
        headers: toHeaders(request, span.trace, attempt.leftMs),
        body: request.body,
        headersTimeout: isStream ? streamHeadMs : toTimeout(attempt.leftMs),
        bodyTimeout: isStream ? streamSilenceMs : toTimeout(request.deadlineMs),
      },
      handler,
    )
  })
}

/** What earlier attempts and the wait for a place have taken is not told to be there. */
function toHeaders(
  { headers, deadlineMs }: UpstreamRequest,
  trace: Trace,
  leftMs: number,
): Record<string, string> {
  const traceparent = formatTraceparent(trace)
  if (deadlineMs === 0) return { ...headers, traceparent }
  return { ...headers, traceparent, [deadlineHeader]: String(Math.floor(leftMs)) }
}

/**
 * Undici keeps the timer of a socket while its length stays the same, and is no more exact than half
 * a second past the first one, so lengths that differ by less share a timer.
 */
function toTimeout(ms: number): number {
  return ms > 1_000 ? Math.ceil(ms / 500) * 500 : ms
}

const timeoutCodes = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

function toAppError(error: unknown, service: string): AppError {
  if (error instanceof AppError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (timeoutCodes.has(code)) {
    return new AppError('timeout', 'UPSTREAM_TIMEOUT', `${service} takes too long right now.`, {
      details: { service },
      retryAfterSeconds: 2,
      cause: error,
    })
  }
  return upstreamUnavailable(service, error)
}
