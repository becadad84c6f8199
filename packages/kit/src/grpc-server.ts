import {
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { AppError } from './errors.ts'
import { healthDefinition, type ServingStatus, serving } from './grpc-health.ts'
import { createReflection } from './grpc-reflection.ts'
import { statusName, toGrpcStatus } from './grpc-status.ts'
import { createInternalCheck } from './internal-secret.ts'
import { createLameDuck } from './lame-duck.ts'
import type { Logger } from './logging.ts'
import type { Metrics } from './metrics.ts'
import { deadlineExceeded } from './resilience.ts'
import { grpcFacts } from './span-facts.ts'
import { joinTrace, type Tracer } from './spans.ts'
import { parseTraceparent, type RequestContext, runWithContext } from './trace.ts'

/** The types of a service's rpcs as contracts generate them, by lowerCamel name. */
export type Rpcs<R> = { [Name in keyof R]: { request: unknown; reply: unknown } }

export type GrpcCallInfo = {
  /** When the caller stops waiting, on the clock of `performance.now()`. */
  readonly deadline: number | undefined
  /** Aborted when the caller cancels or its deadline passes. */
  readonly signal: AbortSignal
  /** The name that the calling service gives itself. */
  readonly caller?: string
  readonly log: Logger
}

export type GrpcHandlers<R extends Rpcs<R>> = {
  readonly [Name in keyof R]: (
    request: R[Name]['request'],
    info: GrpcCallInfo,
  ) => Promise<R[Name]['reply']>
}

type AnyHandler = (request: unknown, info: GrpcCallInfo) => Promise<unknown>

/** A service definition with its handlers; made by {@link grpcService}. */
export type GrpcService = {
  readonly definition: ServiceDefinition
  readonly handlers: Readonly<Record<string, AnyHandler>>
}

/** Pairs a service definition with typed handlers. */
export function grpcService<R extends Rpcs<R>>(
  definition: ServiceDefinition,
  handlers: GrpcHandlers<R>,
): GrpcService {
  return { definition, handlers: handlers as unknown as Record<string, AnyHandler> }
}

export type GrpcServerOptions = {
  host: string
  /** 0 lets the system choose; see {@link GrpcServer.port}. */
  port: number
  logger: Logger
  /** Callers must send it; nothing of gRPC is public. */
  internalSecret: string
  services: readonly GrpcService[]
  metrics?: Metrics
  /** Told of each call to one of the services. */
  tracer?: Tracer | undefined
  /** What health checks are told. */
  isReady?: () => boolean
  /** Tells holders of the internal secret what is served; see `createReflection`. */
  hasReflection?: boolean
  /** Milliseconds without a call after which a server that drains ends; see `LameDuck`. */
  drainQuietMs?: number
  /** Milliseconds for calls in flight to finish at stop. */
  drainMs?: number
}

export type GrpcServer = {
  readonly name: 'grpc'
  start(): Promise<void>
  /** Fails health checks and serves on until nobody calls any more. */
  drain(): Promise<void>
  /** Tells the clients to go elsewhere (GOAWAY) and lets calls in flight finish. */
  stop(): Promise<void>
  port(): number
}

export const traceMetadata = 'traceparent'
export const callerMetadata = 'x-caller'

const limits = {
  // The largest message of ours is a cart with some hundred lines.
  'grpc.max_receive_message_length': 1024 * 1024,
  'grpc.max_send_message_length': 4 * 1024 * 1024,
  'grpc.max_concurrent_streams': 256,
  // Finds peers that vanished without closing.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 5_000,
}

/**
 * A gRPC server for unary calls between services: promise handlers, deadline, trace and caller
 * taken from the call, AppErrors sent as google.rpc.Status.
 * @throws Error at once when an rpc has no handler.
 */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  const { host, drainMs = 5_000, isReady = () => true } = options
  const server = new Server(limits)
  const checkSecret = createInternalCheck(options.internalSecret)
  const lameDuck = createLameDuck({ quietMs: options.drainQuietMs ?? 0 })
  let isDraining = false
  let boundPort = options.port
  for (const { definition, handlers } of options.services) {
    const implementation: UntypedServiceImplementation = {}
    for (const [name, method] of Object.entries(definition)) {
      const handler = handlers[rpcName(name, method)]
      if (!handler) throw new Error(`${method.path} has no handler.`)
      implementation[name] = createUnary({
        method,
        handler,
        checkSecret,
        options,
        requested: lameDuck.requested,
      })
    }
    server.addService(definition, implementation)
  }
  server.addService(healthDefinition, {
    // Asked by clients and by Kubernetes, which has no secret of ours.
    Check(_call: unknown, done: sendUnaryData<ServingStatus>) {
      lameDuck.probed()
      const state = isDraining ? 'draining' : isReady() ? 'ready' : 'starting'
      done(null, serving[state])
    },
  })
  if (options.hasReflection) {
    const definitions = options.services.map(({ definition }) => definition)
    const check = (metadata: Metadata) => checkSecret(textOf(metadata, 'authorization'))
    for (const { definition, implementation } of createReflection(definitions, check)) {
      server.addService(definition, implementation)
    }
  }
  return {
    name: 'grpc',
    start: () =>
      new Promise((resolve, reject) => {
        const credentials = ServerCredentials.createInsecure()
        server.bindAsync(`${host}:${options.port}`, credentials, (error, port) => {
          if (error) return reject(error)
          boundPort = port
          resolve()
        })
      }),
    async drain() {
      isDraining = true
      await lameDuck.wait()
    },
    stop: () =>
      new Promise((resolve) => {
        isDraining = true
        const force = setTimeout(() => {
          server.forceShutdown()
          resolve()
        }, drainMs)
        server.tryShutdown((error) => {
          clearTimeout(force)
          if (error) options.logger.warn({ error }, 'The gRPC server did not stop cleanly.')
          resolve()
        })
      }),
    port: () => boundPort,
  }
}

/** The lowerCamel name of an rpc: `ReserveStock` → `reserveStock`. */
export function rpcName(key: string, method: { originalName?: string }): string {
  const name = method.originalName ?? key
  return name.slice(0, 1).toLowerCase() + name.slice(1)
}

type Unary = {
  method: MethodDefinition<unknown, unknown>
  handler: AnyHandler
  checkSecret: (header: string | undefined) => void
  options: GrpcServerOptions
  requested(): void
}

function createUnary({ method, handler, checkSecret, options, requested }: Unary) {
  const { logger, metrics } = options
  return async (call: ServerUnaryCall<unknown, unknown>, done: sendUnaryData<unknown>) => {
    const startedAtMs = performance.now()
    requested()
    const context = contextOf(call, startedAtMs, options.tracer)
    const finish = (status: number) => {
      const { path } = method
      const code = statusName(status)
      const endedAtMs = performance.now()
      metrics?.observeGrpc('server', path, code, (endedAtMs - startedAtMs) / 1_000)
      const { trace, tracer, notes } = context
      if (!tracer || !notes) return
      const facts = grpcFacts({ side: 'server', path, code, attributes: notes })
      tracer.record({ kind: 'server', trace, startedAtMs, endedAtMs, ...facts })
    }
    await runWithContext(context, async () => {
      try {
        checkSecret(textOf(call.metadata, 'authorization'))
        done(null, await handler(call.request, infoOf(call, context, logger)))
        finish(0)
      } catch (error) {
        if (!(error instanceof AppError) || error.kind === 'internal') {
          logger.error({ error, rpc: method.path }, 'A call met a bug.')
        }
        const sent = toGrpcStatus(error)
        done(sent)
        finish(sent.code)
      }
    })
  }
}

function contextOf(
  call: ServerUnaryCall<unknown, unknown>,
  nowMs: number,
  tracer: Tracer | undefined,
): RequestContext {
  const joined = joinTrace(tracer, parseTraceparent(textOf(call.metadata, traceMetadata)))
  // A Date, or Infinity when the caller set none.
  const leftMs = Number(call.getDeadline()) - Date.now()
  return { ...joined, deadlineAtMs: Number.isFinite(leftMs) ? nowMs + leftMs : undefined }
}

function infoOf(
  call: ServerUnaryCall<unknown, unknown>,
  { deadlineAtMs }: RequestContext,
  log: Logger,
): GrpcCallInfo {
  const caller = textOf(call.metadata, callerMetadata)
  let signal: AbortSignal | undefined
  return {
    deadline: deadlineAtMs,
    // Made when asked for: most calls end long before a signal could matter.
    get signal() {
      signal ??= createSignal(call)
      return signal
    },
    log,
    ...(caller === undefined ? {} : { caller }),
  }
}

function createSignal(call: ServerUnaryCall<unknown, unknown>): AbortSignal {
  const controller = new AbortController()
  const cancel = () => controller.abort(deadlineExceeded())
  if (call.cancelled) cancel()
  call.once('cancelled', cancel)
  return controller.signal
}

function textOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name)
  return typeof value === 'string' ? value : undefined
}
