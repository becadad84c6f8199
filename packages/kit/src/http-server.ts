import { type AddressInfo, Server as NetServer, type Socket } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { type AppOptions, createApp } from './http-app.ts'
import type { Handler, Operations, RouteContract } from './http-contract.ts'
import { writeEvents } from './http-events.ts'
import { checkContentType, createGate, type Keepers } from './http-gate.ts'
import { createInputCompiler, type InputCheck } from './http-input.ts'
import { methodNotAllowed } from './http-problem.ts'
import { isEventStream, isReply, type Reply } from './http-reply.ts'
import { toHandlerRequest } from './http-request.ts'
import { createInternalCheck } from './internal-secret.ts'
import { createLameDuck } from './lame-duck.ts'
import { runWithContext } from './trace.ts'
import { vitalsPath } from './vitals.ts'

export type { Access, Handler, HttpRequest, JsonSchema, RouteContract } from './http-contract.ts'
export { eventStream, reply, versionEtag, versionFromIfMatch } from './http-reply.ts'

export type HttpServerOptions<O extends Operations<O>> = Keepers &
  Omit<AppOptions, 'draining'> & {
    service: string
    /** Distinguishes the replicas of a service in `/healthz`. */
    instance?: string
    routes: { readonly [Name in keyof O]: RouteContract }
    host: string
    /** 0 lets the system choose; see {@link HttpServer.port}. */
    port: number
    /** Lets several processes listen on one port; the system spreads connections over them. */
    reusePort?: boolean
    isReady: () => boolean
    /** Tells of the process at `vitalsPath`, to holders of the internal secret. */
    readVitals?: (() => Promise<object>) | undefined
    /** Milliseconds without a request after which a server that drains ends; see `LameDuck`. */
    drainQuietMs?: number
  }

export type HttpServer<O extends Operations<O>> = {
  readonly name: 'http'
  /** Serves an operation of the contract. Every operation needs a handler before `start`. */
  on<Name extends keyof O & string>(operation: Name, handler: Handler<O[Name]>): void
  /** Listens. @throws Error that names the operations without a handler. */
  start(): Promise<void>
  /**
   * Says that it stops, closes each socket after its answer, and serves on until nobody asks any
   * more: a client that looks at the readiness never meets a socket that is being closed.
   */
  drain(): Promise<void>
  /** Stops accepting, ends event streams, lets requests in flight finish. */
  stop(): Promise<void>
  /** The port listened on. */
  port(): number
  readonly fastify: FastifyInstance
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** An HTTP server whose routes, checks and serialisation come from contracts. */
export function createHttpServer<O extends Operations<O>>(
  options: HttpServerOptions<O>,
): HttpServer<O> {
  const handlers = new Map<string, Handler>()
  const contracts: readonly RouteContract[] = Object.values(options.routes)
  const draining = new AbortController()
  const closing = new AbortController()
  const lameDuck = createLameDuck({ quietMs: options.drainQuietMs ?? 0 })
  const app = createApp({ ...options, draining: draining.signal })
  const compile = createInputCompiler()
  const sockets = new Set<Socket>()
  let isEmpty: Promise<void> | undefined
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  addProbes(app, options, { draining: draining.signal, probed: lameDuck.probed })
  for (const contract of contracts) {
    addRoute(app, options, {
      contract,
      check: compile(contract),
      handler: (request) => {
        const handler = handlers.get(contract.operation)
        if (!handler) throw new Error(`${contract.operation} has no handler.`)
        return handler(request)
      },
      closing: closing.signal,
    })
  }
  refuseOtherMethods(app, contracts)

  return {
    name: 'http',
    fastify: app,
    on(operation, handler) {
      if (!Object.hasOwn(options.routes, operation)) {
        throw new Error(`${operation} is not an operation of ${options.service}.`)
      }
      handlers.set(options.routes[operation].operation, handler as unknown as Handler)
    },
    async start() {
      const missing = contracts.filter(({ operation }) => !handlers.has(operation))
      if (missing.length > 0) {
        const names = missing.map(({ operation }) => operation).join(', ')
        throw new Error(`${options.service} has no handler for ${names}.`)
      }
      // Fastify hands these on to the listening socket as they are.
      const { host, port, reusePort = false } = options
      await app.listen(Object.assign({ host, port }, { reusePort }))
    },
    async drain() {
      draining.abort()
      app.server.on('request', ({ url }) => {
        if (!probePaths.has(url ?? '')) lameDuck.requested()
      })
      if (options.reusePort) {
        // Who connects from now on reaches those who share the port; a close of the HTTP server
        // would cut idle sockets too, into which a request may be on its way.
        isEmpty = new Promise((resolve) => {
          NetServer.prototype.close.call(app.server, () => resolve())
        })
      }
      await lameDuck.wait({ isWatched: options.reusePort === true })
    },
    async stop() {
      draining.abort()
      closing.abort()
      // Sockets that were busy when the stop began are left open once they are idle, and those
      // that never sent a byte do not count as idle.
      const sweep = setInterval(() => {
        app.server.closeIdleConnections()
        for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
      }, 50)
      await Promise.all([app.close(), isEmpty]).finally(() => clearInterval(sweep))
    },
    port: () => (app.server.address() as AddressInfo).port,
  }
}

type Route = {
  contract: RouteContract
  check: InputCheck
  handler: Handler
  closing: AbortSignal
}

function addRoute<O extends Operations<O>>(
  app: FastifyInstance,
  options: HttpServerOptions<O>,
  route: Route,
): void {
  const { contract, check, handler, closing } = route
  const authorize = createGate(contract, options)
  const status = Number(Object.keys(contract.responses).find((code) => /^2\d\d$/.test(code)) ?? 200)
  app.route({
    method: contract.method,
    url: toRouterPath(contract.path),
    config: { contract },
    ...(contract.bodyLimitBytes === undefined ? {} : { bodyLimit: contract.bodyLimitBytes }),
    schema: { response: replySchemas(contract) },
    onRequest: async (request) => {
      const caller = await authorize(request)
      if (request.arrival && caller) request.arrival.caller = caller
      checkContentType(contract, request)
    },
    handler: async (request, reply) => {
      const { arrival } = request
      if (!arrival) throw new Error('The request was not announced.')
      check(request)
      const { raw } = reply
      let isStream = false
      // A stream that we end ourselves must end its source too.
      const isOpen = () => isStream || !raw.writableFinished
      const input = toHandlerRequest(request, arrival, { reply, isOpen, log: options.logger })
      const result = await runWithContext(arrival.context, () => handler(input))
      if (!isEventStream(result)) return sendResult(reply, result, status)
      isStream = true
      reply.hijack()
      if (request.method === 'HEAD') return raw.end()
      const signal = AbortSignal.any([input.signal, closing])
      await writeEvents(raw, result.events, signal).catch((error: unknown) => {
        options.logger.error({ error, operation: contract.operation }, 'An event stream failed.')
        raw.destroy()
      })
    },
  })
}

/** Only successes are compiled: problem documents carry members that no schema lists. */
function replySchemas(contract: RouteContract): Record<string, unknown> {
  const schemas: Record<string, unknown> = {}
  for (const [code, schema] of Object.entries(contract.responses)) {
    if (schema === null || !/^2(\d\d|xx)$/i.test(code)) continue
    const { $id: _id, $schema: _dialect, ...rest } = schema
    schemas[code] = rest
  }
  return schemas
}

function sendResult(reply: FastifyReply, result: unknown, status: number): FastifyReply {
  const shaped: Pick<Reply, 'body' | 'status' | 'headers'> = isReply(result)
    ? result
    : { body: result, status: undefined, headers: {} }
  return reply
    .code(shaped.status ?? status)
    .headers(shaped.headers)
    .send(shaped.body)
}

/** `/carts/{cartId}` → `/carts/:cartId`; literal colons are doubled for the router. */
function toRouterPath(path: string): string {
  return path.replaceAll(':', '::').replaceAll(/\{(\w+)\}/g, ':$1')
}

function refuseOtherMethods(app: FastifyInstance, contracts: readonly RouteContract[]): void {
  // Paths that differ in the names of their parameters only are one path to the router.
  const byShape = Map.groupBy(contracts, ({ path }) => path.replaceAll(/\{\w+\}/g, '{}'))
  for (const group of byShape.values()) {
    const url = toRouterPath(group[0]?.path ?? '')
    const allowed = new Set(group.map(({ method }) => method.toUpperCase()))
    if (allowed.has('GET')) allowed.add('HEAD')
    const allow = [...allowed].join(', ')
    app.route({
      method: methods.filter((method) => !allowed.has(method)),
      url,
      onRequest: async (_request, reply) => {
        reply.header('allow', allow)
        throw methodNotAllowed()
      },
      handler: async () => undefined,
    })
  }
}

const probePaths: ReadonlySet<string> = new Set(['/healthz', '/readyz', vitalsPath])

function addProbes<O extends Operations<O>>(
  app: FastifyInstance,
  options: HttpServerOptions<O>,
  { draining, probed }: { draining: AbortSignal; probed(): void },
): void {
  const { service, instance = `${service}-${process.pid}`, isReady } = options
  const { readVitals, internalSecret } = options
  const state = () => (draining.aborted ? 'stopping' : isReady() ? 'ready' : 'starting')
  const describe = () => ({ service, id: instance, pid: process.pid, state: state() })
  app.get('/healthz', async () => describe())
  app.get('/readyz', async (_request, reply) => {
    probed()
    return reply.code(state() === 'ready' ? 200 : 503).send(describe())
  })
  if (!readVitals || internalSecret === undefined) return
  const check = createInternalCheck(internalSecret)
  app.get(vitalsPath, async ({ headers }) => {
    check(headers.authorization)
    return readVitals()
  })
}
