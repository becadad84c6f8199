import {
  Client,
  credentials,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { AppError } from './errors.ts'
import { callerMetadata, type Rpcs, rpcName, traceMetadata } from './grpc-server.ts'
import { fromGrpcStatus, statusName } from './grpc-status.ts'
import type { Metrics } from './metrics.ts'
import { createBreaker, createBulkhead } from './resilience.ts'
import { internalAuthorization } from './tokens.ts'
import { childOf, currentTrace, formatTraceparent, remainingMs } from './trace.ts'

export type GrpcCallOptions = { deadlineMs?: number; signal?: AbortSignal }

/** One promise method for each rpc, and `close`. */
export type GrpcClient<R extends Rpcs<R>> = {
  readonly [Name in keyof R]: (
    request: R[Name]['request'],
    options?: GrpcCallOptions,
  ) => Promise<R[Name]['reply']>
} & { close(): void }

export type GrpcClientOptions = {
  definition: ServiceDefinition
  /** `host:port` of each instance; one `name:port` is resolved by DNS and may mean many. */
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
}

type Method = MethodDefinition<unknown, unknown>

/**
 * A client over all instances of a service: round robin, retries on UNAVAILABLE within a budget
 * (all our rpcs are idempotent), a deadline on every call that shrinks with the deadline of the
 * request being served, a breaker and a bulkhead.
 *
 * Methods throw the AppError that the other side threw, or unavailable `UPSTREAM_UNAVAILABLE` when
 * it could not be reached in time, `UPSTREAM_BUSY` when too many calls wait.
 */
export function createGrpcClient<R extends Rpcs<R>>(options: GrpcClientOptions): GrpcClient<R> {
  const { name, definition, maxInFlight = 128, maxWaiting = 256 } = options
  const client = new Client(
    toTarget(options.addresses),
    credentials.createInsecure(),
    channelOptions(),
  )
  const breaker = createBreaker()
  const bulkhead = createBulkhead({
    limit: maxInFlight,
    queueLimit: maxWaiting,
    refuse: () => unavailable('UPSTREAM_BUSY', `Too many calls wait for ${name}.`),
  })

  async function call(method: Method, request: unknown, own: GrpcCallOptions): Promise<unknown> {
    own.signal?.throwIfAborted()
    const leftMs = remainingMs(own.deadlineMs ?? options.defaultDeadlineMs)
    if (leftMs <= 0) throw unavailable('UPSTREAM_UNAVAILABLE', `There is no time left for ${name}.`)
    if (!breaker.allow()) throw upstreamUnavailable(name)
    const startedAtMs = performance.now()
    const observe = (code: number) =>
      options.metrics?.observeGrpc(
        'client',
        method.path,
        statusName(code),
        (performance.now() - startedAtMs) / 1_000,
      )
    try {
      const reply = await send({ client, method, request, leftMs, own, options })
      breaker.success()
      observe(status.OK)
      return reply
    } catch (error) {
      const failure = error as ServiceError
      const known = fromGrpcStatus(failure)
      if (own.signal?.aborted) breaker.release()
      else if (!known && isUnreachable(failure)) breaker.failure()
      else breaker.success()
      observe(failure.code)
      if (own.signal?.aborted) throw own.signal.reason
      throw toAppError(name, failure, known)
    }
  }

  const methods: Record<string, unknown> = { close: () => client.close() }
  for (const [key, method] of Object.entries(definition)) {
    methods[rpcName(key, method)] = (request: unknown, own: GrpcCallOptions = {}) =>
      bulkhead.run(() => call(method, request, own))
  }
  return methods as unknown as GrpcClient<R>
}

type Sending = {
  client: Client
  method: Method
  request: unknown
  leftMs: number
  own: GrpcCallOptions
  options: GrpcClientOptions
}

function send({ client, method, request, leftMs, own, options }: Sending): Promise<unknown> {
  const metadata = new Metadata()
  metadata.set('authorization', internalAuthorization(options.internalSecret))
  metadata.set(traceMetadata, formatTraceparent(childOf(currentTrace())))
  if (options.caller) metadata.set(callerMetadata, options.caller)
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      { deadline: Date.now() + leftMs },
      (error, reply) => {
        own.signal?.removeEventListener('abort', cancel)
        if (error) reject(error)
        else resolve(reply)
      },
    )
    const cancel = () => call.cancel()
    own.signal?.addEventListener('abort', cancel, { once: true })
  })
}

function toAppError(name: string, failure: ServiceError, known: AppError | undefined): AppError {
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

function upstreamUnavailable(name: string, cause?: unknown): AppError {
  return unavailable('UPSTREAM_UNAVAILABLE', `${name} does not answer right now.`, cause)
}

function unavailable(code: string, message: string, cause?: unknown): AppError {
  return new AppError('unavailable', code, message, { retryAfterSeconds: 1, cause })
}

function toTarget(addresses: readonly string[]): string {
  const [first] = addresses
  if (first === undefined) throw new Error('A gRPC client needs at least one address.')
  if (addresses.every((address) => /^\d+\.\d+\.\d+\.\d+:\d+$/.test(address))) {
    return `ipv4:${addresses.join(',')}`
  }
  if (addresses.length > 1) throw new Error('Several gRPC addresses must all be IPv4.')
  return `dns:///${first}`
}

function channelOptions() {
  return {
    'grpc.service_config': JSON.stringify({
      loadBalancingConfig: [{ round_robin: {} }],
      methodConfig: [
        {
          name: [{}],
          // Two more tries over some 100 ms: enough to reach another instance while one restarts.
          retryPolicy: {
            maxAttempts: 3,
            initialBackoff: '0.05s',
            maxBackoff: '0.5s',
            backoffMultiplier: 2,
            retryableStatusCodes: ['UNAVAILABLE'],
          },
        },
      ],
      // The retry budget: each failure costs 1, each success earns 0.1; below 5 nothing is retried.
      retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
    }),
    // A service restarts within a second or two, so we look again that often.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    // Finds peers that vanished without closing.
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.max_receive_message_length': 4 * 1024 * 1024,
    // Each client has its own connections, so that closing one does not touch another.
    'grpc.use_local_subchannel_pool': 1,
  }
}
