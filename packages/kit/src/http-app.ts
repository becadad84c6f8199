import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { RouteContract } from './http-contract.ts'
import { parseBody } from './http-input.ts'
import { refuseBadRequest, routeNotFound, sendProblem, toKnownError } from './http-problem.ts'
import type { Logger } from './logging.ts'
import type { Metrics } from './metrics.ts'
import {
  childOf,
  deadlineHeader,
  newTrace,
  parseDeadline,
  parseTraceparent,
  runWithContext,
} from './trace.ts'

/** Sees every request before it is routed; `pass` hands it on to the routes. */
export type Intercept = (
  request: IncomingMessage,
  response: ServerResponse,
  pass: () => void,
) => void

export type AppOptions = {
  logger: Logger
  metrics?: Metrics
  intercept?: Intercept
  /** Bytes of a body where the contract names no limit. */
  bodyLimitBytes?: number
  /** Sockets open at once. */
  maxConnections?: number
  /** Aborted when the server begins to stop. */
  draining: AbortSignal
}

// A page of form fields is under 10 KB; imports name a limit of their own in the contract.
const defaultBodyLimitBytes = 64 * 1024
// Headers of ours are under 4 KB: a token, a trace, an idempotency key.
const maxHeaderBytes = 16 * 1024
// A whole request must have arrived by then: it bounds how long a slow client holds a socket.
const requestTimeoutMs = 30_000
const headersTimeoutMs = 10_000
// Longer than the 30 s after which our clients and the load balancer drop an idle socket: whoever
// closes second never sends a request into a socket that is being closed.
const keepAliveTimeoutMs = 65_000
// Two gateways with 256 sockets each, and room for probes.
const defaultMaxConnections = 1_024
/** A Fastify with our limits, body parsing, trace context and problem documents. */
export function createApp(options: AppOptions): FastifyInstance {
  const { logger, metrics, draining, bodyLimitBytes = defaultBodyLimitBytes } = options
  const app = fastify({
    logger: false,
    bodyLimit: bodyLimitBytes,
    serverFactory: (serve) => createNodeServer(serve, options.intercept),
    // Long path parameters reach their schema, which names the field, instead of a plain 404.
    routerOptions: { maxParamLength: maxHeaderBytes },
    forceCloseConnections: 'idle',
    // While draining, requests on sockets that are still open are served, then the socket closes.
    return503OnClosing: false,
    clientErrorHandler: (error, socket) => refuseBadRequest(error, socket as Socket),
    frameworkErrors: (error, request, reply) => answerError(error, request, reply, logger),
  }) as unknown as FastifyInstance
  app.server.maxConnections = options.maxConnections ?? defaultMaxConnections
  app.decorateRequest('arrival', null)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, parseByContract)
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply, logger))
  app.setNotFoundHandler((request, reply) => answerError(routeNotFound(), request, reply, logger))
  app.addHook('onRequest', (request, _reply, done) => {
    const trace = childOf(parseTraceparent(single(request.headers.traceparent)))
    const deadlineAtMs = parseDeadline(single(request.headers[deadlineHeader]))
    request.arrival = { context: { trace, deadlineAtMs } }
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

function createNodeServer(serve: RequestListener, intercept: Intercept | undefined): Server {
  const limits = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    maxHeaderSize: maxHeaderBytes,
  }
  if (!intercept) return createServer(limits, serve)
  return createServer(limits, (request, response) => {
    intercept(request, response, () => serve(request, response))
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
