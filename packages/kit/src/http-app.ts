import type { Socket } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import {
  type ConnectionLimits,
  connectionDefaults,
  createNodeServer,
  type Intercept,
  maxHeaderBytes,
} from './http-connections.ts'
import type { RouteContract } from './http-contract.ts'
import { parseBody } from './http-input.ts'
import { routeNotFound, sendProblem, toKnownError } from './http-problem.ts'
import { refuseBadRequest } from './http-refusals.ts'
import type { Logger } from './logging.ts'
import type { Metrics } from './metrics.ts'
import { httpServerFacts } from './span-facts.ts'
import { joinTrace, type Tracer } from './spans.ts'
import {
  deadlineHeader,
  newTrace,
  parseDeadline,
  parseTraceparent,
  type RequestContext,
  runWithContext,
} from './trace.ts'

export type AppOptions = {
  logger: Logger
  metrics?: Metrics
  /** Told of each request to a route of the contract. */
  tracer?: Tracer | undefined
  intercept?: Intercept
  /** Bytes of a body where the contract names no limit. */
  bodyLimitBytes?: number
  /** What connections may take, where it is not {@link connectionDefaults}. */
  connections?: Partial<ConnectionLimits>
  /** Aborted when the server begins to stop. */
  draining: AbortSignal
}

// A page of form fields is under 10 KB; imports name a limit of their own in the contract.
const defaultBodyLimitBytes = 64 * 1024

/** A Fastify with our limits, body parsing, trace context and problem documents. */
export function createApp(options: AppOptions): FastifyInstance {
  const { logger, metrics, draining, intercept, bodyLimitBytes = defaultBodyLimitBytes } = options
  const app = fastify({
    logger: false,
    bodyLimit: bodyLimitBytes,
    serverFactory: (serve) =>
      createNodeServer(serve, { ...connectionDefaults, ...options.connections }, intercept),
    // Long path parameters reach their schema, which names the field, instead of a plain 404.
    routerOptions: { maxParamLength: maxHeaderBytes },
    forceCloseConnections: 'idle',
    // While draining, requests on sockets that are still open are served, then the socket closes.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => refuseBadRequest(error, socket as Socket),
    frameworkErrors: (error, request, reply) => answerError(error, request, reply, logger),
  }) as unknown as FastifyInstance
  app.decorateRequest('arrival', null)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, parseByContract)
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, logger))
  app.setNotFoundHandler((request, reply) => answerError(routeNotFound(), request, reply, logger))
  app.addHook('onRequest', (request, reply, done) => {
    const caller = parseTraceparent(single(request.headers.traceparent))
    const deadlineAtMs = parseDeadline(single(request.headers[deadlineHeader]))
    const joined = joinTrace(options.tracer, caller)
    request.arrival = { context: { ...joined, deadlineAtMs } }
    if (joined.notes) recordAtEnd(request, reply, { ...joined, isOwn: intercept === undefined })
    // Told before any byte of a body is read.
    done(request.is404 ? routeNotFound() : undefined)
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (draining.aborted) reply.header('connection', 'close')
    done()
  })
  if (metrics) {
    app.addHook('onResponse', (request, reply, done) => {
      const route = request.routeOptions.url ?? 'none'
      metrics.observeHttp(route, request.method, reply.statusCode, reply.elapsedTime / 1_000)
      done()
    })
  }
  return app
}

/** Tells of the request when its answer is sent, or its client is gone. */
function recordAtEnd(
  request: FastifyRequest,
  reply: FastifyReply,
  joined: Pick<RequestContext, 'trace' | 'tracer' | 'notes'> & { isOwn: boolean },
): void {
  const { trace, tracer, notes, isOwn } = joined
  // Probes are asked twice a second for ever.
  const contract = contractOf(request)
  if (!contract) return
  const startedAtMs = performance.now()
  reply.raw.once('close', () => {
    const served = { method: request.method, route: contract.path, status: reply.raw.statusCode }
    const facts = httpServerFacts({ ...served, ...(notes && { attributes: notes }) })
    // Behind an interceptor, which has told of the request itself.
    const kind = isOwn ? 'server' : 'internal'
    const endedAtMs = performance.now()
    tracer?.record({ kind, trace, startedAtMs, endedAtMs, ...facts })
  })
}

function parseByContract(
  request: FastifyRequest,
  body: string | Buffer,
  done: (error: Error | null, body?: unknown) => void,
): void {
  let parsed: unknown
  try {
    parsed = parseBody(body as Buffer, contractOf(request)?.bodyType)
  } catch (error) {
    done(error as Error)
    return
  }
  done(null, parsed)
}

function contractOf(request: FastifyRequest): RouteContract | undefined {
  return (request.routeOptions.config as { contract?: RouteContract }).contract
}

function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  logger: Logger,
): FastifyReply {
  const context = request.arrival?.context ?? { trace: newTrace() }
  const known = toKnownError(error)
  // A body that breaks off belongs to a client that went away: nobody reads the answer.
  const isGone = !known && request.raw.destroyed && !request.raw.complete
  runWithContext(context, () => {
    const operation = contractOf(request)?.operation
    if (isGone) logger.debug({ operation }, 'The client went away while it sent its request.')
    else if (!known) logger.error({ error, operation }, 'A request met a bug.')
    else if (known.kind === 'internal') logger.error({ error, operation }, 'A request failed.')
    else if (known.kind === 'unavailable' || known.kind === 'timeout') {
      logger.warn({ code: known.code, operation }, 'A request could not be served now.')
    }
  })
  return sendProblem(reply, known ?? error, context.trace.traceId)
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}
