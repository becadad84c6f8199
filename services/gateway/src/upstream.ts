import type { IncomingHttpHeaders } from 'node:http'
import { createDiscovery, type Discovery, type Instance } from '@halles/kit/discovery'
import { AppError } from '@halles/kit/errors'
import { createInstancePool, isConnectError } from '@halles/kit/http-client'
import {
  type Breaker,
  type BreakerState,
  backoffMs,
  createBreaker,
  createBulkhead,
  createRetryBudget,
} from '@halles/kit/resilience'
import type { Dispatcher, Pool } from 'undici'

/** A request as it goes to a service. */
export type UpstreamRequest = {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | null
  /** Milliseconds until the head of the answer, and between two parts of its body; 0 for none. */
  readonly deadlineMs: number
  /** Whether it may be sent again after it may have been served. */
  readonly isRepeatable: boolean
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal
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
  readonly discovery: Discovery
  breakers(): { service: string; address: string; state: BreakerState }[]
  close(): Promise<void>
}

/** A failed attempt, and whether the service may have seen it. */
type Failure = { readonly reason: unknown; readonly wasSent: boolean }

type Target = { readonly pool: Pool; readonly breaker: Breaker }

// The first try and two others: with more, a broken service sees triple its load.
const maxAttempts = 3
// Enough to keep two cores of a service busy; the bulkhead below is what bounds the work.
const connectionsPerInstance = 128
// Requests at one service at once, and waiting for a place. A slow service fills its own places
// and no one else's; at 1,000 requests a second the queue is a quarter of a second long.
const maxInFlight = 256
const maxWaiting = 256

/** The way to one service: choice of instance, breaker per instance, bulkhead, retry budget. */
export function createUpstream(service: string, addresses: readonly string[]): Upstream {
  const discovery = createDiscovery(addresses)
  const budget = createRetryBudget()
  const targets = new Map<string, Target>()
  const bulkhead = createBulkhead({
    limit: maxInFlight,
    queueLimit: maxWaiting,
    refuse: () => unavailable('UPSTREAM_BUSY', service),
  })

  function targetOf({ address }: Instance): Target {
    let target = targets.get(address)
    if (!target) {
      const pool = createInstancePool(address, { connections: connectionsPerInstance })
      target = { pool, breaker: createBreaker() }
      targets.set(address, target)
    }
    return target
  }

  /** Undefined when the answer came to its end; throws only when the client went away. */
  async function attempt(
    instance: Instance,
    request: UpstreamRequest,
    sink: AnswerSink,
  ): Promise<Failure | undefined> {
    const { pool, breaker } = targetOf(instance)
    if (!breaker.allow()) {
      return { reason: unavailable('UPSTREAM_UNAVAILABLE', service), wasSent: false }
    }
    discovery.started(instance)
    try {
      const status = await dispatch(pool, request, sink)
      discovery.finished(instance, 'worked')
      if (status === 503 || status === 504) breaker.failure()
      else breaker.success()
      return undefined
    } catch (error) {
      if (request.signal.aborted) {
        breaker.release()
        discovery.finished(instance, 'cancelled')
        throw error
      }
      breaker.failure()
      const wasSent = !isConnectError(error)
      discovery.finished(instance, wasSent ? 'cancelled' : 'failed')
      return { reason: error, wasSent }
    }
  }

  async function sendWithRetries(request: UpstreamRequest, sink: AnswerSink): Promise<void> {
    const tried = new Set<Instance>()
    let hasHead = false
    const watched: AnswerSink = {
      onHead(status, headers) {
        hasHead = true
        sink.onHead(status, headers)
      },
      onData: (chunk) => sink.onData(chunk),
    }
    budget.deposit()
    for (let count = 1; ; count += 1) {
      const instance = pickOther(discovery, tried)
      tried.add(instance)
      const failure = await attempt(instance, request, watched)
      if (!failure) return
      // What never left this process may be sent again whatever it is.
      const isSafe = !hasHead && (request.isRepeatable || !failure.wasSent)
      if (!isSafe || count === maxAttempts || !budget.withdraw()) {
        throw toAppError(failure.reason, service)
      }
      await pause(backoffMs(count, { baseMs: 25, maxMs: 200 }))
    }
  }

  return {
    service,
    discovery,
    send: (request, sink) => bulkhead.run(() => sendWithRetries(request, sink)),
    breakers: () =>
      [...targets].map(([address, { breaker }]) => ({ service, address, state: breaker.state() })),
    async close() {
      await Promise.all([...targets.values()].map(({ pool }) => pool.destroy()))
    },
  }
}

function pickOther(discovery: Discovery, tried: ReadonlySet<Instance>): Instance {
  return tried.size < discovery.instances().length ? discovery.pick(tried) : discovery.pick()
}

/** Sends over the pool and feeds the sink; resolves with the status at the end of the answer. */
function dispatch(pool: Pool, request: UpstreamRequest, sink: AnswerSink): Promise<number> {
  return new Promise((resolve, reject) => {
    let status = 0
    let abort: (() => void) | undefined
    const onAbort = () => abort?.()
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        abort = () => controller.abort(new Error('The client went away.'))
        if (request.signal.aborted) abort()
      },
      onResponseStart(_controller, statusCode, headers) {
        // 1xx answers are between us and the service.
        if (statusCode < 200) return
        status = statusCode
        sink.onHead(statusCode, headers as IncomingHttpHeaders)
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
        request.signal.removeEventListener('abort', onAbort)
        resolve(status)
      },
      onResponseError(_controller, error) {
        request.signal.removeEventListener('abort', onAbort)
        reject(error)
      },
    }
    request.signal.addEventListener('abort', onAbort, { once: true })
    pool.dispatch(
      {
        method: request.method as Dispatcher.HttpMethod,
        path: request.target,
        headers: request.headers,
        body: request.body,
        headersTimeout: request.deadlineMs,
        bodyTimeout: request.deadlineMs,
      },
      handler,
    )
  })
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
  return unavailable('UPSTREAM_UNAVAILABLE', service, error)
}

function unavailable(code: string, service: string, cause?: unknown): AppError {
  return new AppError('unavailable', code, `${service} does not answer right now.`, {
    details: { service },
    retryAfterSeconds: 2,
    cause,
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
