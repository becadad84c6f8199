import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { type Attempt, createBalancer } from './balancer.ts'
import type { InstanceView, Verdict } from './discovery.ts'
import { AppError } from './errors.ts'
import { createGrpcProbe } from './grpc-health.ts'
import { callerMetadata, type Rpcs, rpcName, traceMetadata } from './grpc-server.ts'
import { fromGrpcStatus, statusName } from './grpc-status.ts'
import { internalAuthorization } from './internal-secret.ts'
import type { Logger } from './logging.ts'
import type { Metrics } from './metrics.ts'
import type { ProbeTimes } from './readiness.ts'
import { upstreamUnavailable } from './resilience.ts'
import { grpcFacts } from './span-facts.ts'
import { openSpan } from './spans.ts'
import { formatTraceparent, remainingMs } from './trace.ts'

export type GrpcCallOptions = { deadlineMs?: number; signal?: AbortSignal }

/** One promise method for each rpc, and what every client has. */
export type GrpcClient<R extends Rpcs<R>> = {
  readonly [Name in keyof R]: (
    request: R[Name]['request'],
    options?: GrpcCallOptions,
  ) => Promise<R[Name]['reply']>
} & {
  instances(): readonly InstanceView[]
  /** Begins to follow addresses and health, as the first call does. */
  start(): Promise<void>
  close(): Promise<void>
}

export type GrpcClientOptions = {
  definition: ServiceDefinition
  /** Items as `parseAddress` reads them. */
  addresses: readonly string[]
  internalSecret: string
  defaultDeadlineMs: number
  /** The service called, for messages. */
  name: string
  /** The service that calls, as the other side sees it. */
  caller?: string
  metrics?: Metrics
  /** Calls in flight, and calls that may wait for a place. */
  maxInFlight?: number
  maxWaiting?: number
  /** Has instances asked for their health all the time: not worth it for rare calls. */
  probing?: ProbeTimes
  logger?: Logger
}

type Method = MethodDefinition<unknown, unknown>

/**
 * A client over all instances of a service, each with a connection of its own. A call that finds an
 * instance unavailable goes to another one within the retry budget (all our rpcs are idempotent),
 * never past its deadline, which shrinks with the deadline of the request being served.
 *
 * Methods throw the AppError that the other side threw, or unavailable `UPSTREAM_UNAVAILABLE` when
 * it could not be reached in time, `UPSTREAM_BUSY` when too many calls wait.
 */
export function createGrpcClient<R extends Rpcs<R>>(options: GrpcClientOptions): GrpcClient<R> {
  const { name, definition, addresses, logger, probing } = options
  const { metrics, maxInFlight = 128, maxWaiting = 256 } = options
  const balancer = createBalancer<Client>({
    name,
    addresses,
    kind: 'grpc',
    logger,
    metrics,
    maxInFlight,
    maxWaiting,
    connect: (address) => new Client(address, credentials.createInsecure(), channelOptions),
    disconnect: async (client) => client.close(),
    verdictOf,
    createProbe: probing && ((_address, client) => createGrpcProbe(client)),
    probing,
  })

  async function call(method: Method, request: unknown, own: GrpcCallOptions): Promise<unknown> {
    const leftMs = remainingMs(own.deadlineMs ?? options.defaultDeadlineMs)
    if (leftMs <= 0) throw upstreamUnavailable(name)
    try {
      return await balancer.run({
        send: (attempt) => send({ attempt, method, request, own, options }),
        deadlineMs: leftMs,
        isRepeatable: true,
        signal: own.signal,
      })
    } catch (error) {
      if (own.signal?.aborted) throw own.signal.reason
      throw error instanceof AppError ? error : toAppError(name, error as ServiceError)
    }
  }

  const { instances, start, close } = balancer
  const methods: Record<string, unknown> = { instances, start, close }
  for (const [key, method] of Object.entries(definition)) {
    methods[rpcName(key, method)] = (request: unknown, own: GrpcCallOptions = {}) =>
      call(method, request, own)
  }
  return methods as unknown as GrpcClient<R>
}

type Sending = {
  attempt: Attempt<Client>
  method: Method
  request: unknown
  own: GrpcCallOptions
  options: GrpcClientOptions
}

function send({ attempt, method, request, own, options }: Sending): Promise<unknown> {
  const metadata = new Metadata()
  metadata.set('authorization', internalAuthorization(options.internalSecret))
  const span = openSpan('client')
  metadata.set(traceMetadata, formatTraceparent(span.trace))
  if (options.caller) metadata.set(callerMetadata, options.caller)
  const startedAtMs = performance.now()
  return new Promise((resolve, reject) => {
    const call = attempt.instance.connection.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      { deadline: Date.now() + attempt.leftMs },
      (error, reply) => {
        own.signal?.removeEventListener('abort', cancel)
        const seconds = (performance.now() - startedAtMs) / 1_000
        const { path } = method
        const code = statusName(error?.code ?? status.OK)
        options.metrics?.observeGrpc('client', path, code, seconds)
        span.end(() => grpcFacts({ side: 'client', path, code, peer: options.name }))
        if (error) reject(error)
        else resolve(reply)
      },
    )
    const cancel = () => call.cancel()
    attempt.cancel = cancel
    own.signal?.addEventListener('abort', cancel, { once: true })
  })
}

// How grpc-js words what never left this process.
const unsent = /^(No connection established|Name resolution failed)/

/** What a failed call shows of the instance it went to. */
function verdictOf(error: unknown): Verdict {
  const failure = error as ServiceError
  const known = fromGrpcStatus(failure)
  // Its own word: it runs, but cannot do this now. Any other word of its own is an answer.
  if (known) return known.kind === 'unavailable' ? 'refused' : 'worked'
  if (!isUnreachable(failure)) return 'worked'
  return unsent.test(failure.details) ? 'unsent' : 'broken'
}

function toAppError(name: string, failure: ServiceError): AppError {
  const known = fromGrpcStatus(failure)
  // Our own credentials are wrong: not a matter of whoever called us.
  if (known?.code === 'INTERNAL_SECRET_REQUIRED') {
    return new AppError('internal', 'INTERNAL', `${name} refuses this service.`, { cause: failure })
  }
  if (known) return known
  if (isUnreachable(failure)) return upstreamUnavailable(name, failure)
  return new AppError('internal', 'UPSTREAM_FAILED', `${name} failed.`, { cause: failure })
}

function isUnreachable({ code }: ServiceError): boolean {
  return code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED
}

const channelOptions = {
  // Whether a call is repeated, and where, is up to the balancer.
  'grpc.enable_retries': 0,
  // A service restarts within a second or two, so we look again that often.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 500,
  // Finds peers that vanished without closing.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  // Each client has its own connections, so that closing one does not touch another.
  'grpc.use_local_subchannel_pool': 1,
}
