import type { FastifyReply, FastifyRequest } from 'fastify'
import { AppError } from './errors.ts'
import type { HttpRequest } from './http-contract.ts'
import type { Logger } from './logging.ts'
import { deadlineExceeded } from './resilience.ts'
import type { Caller } from './tokens.ts'
import type { RequestContext } from './trace.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What the kit knows of the request before its handler runs. */
    arrival: Arrival | null
  }
}

export type Arrival = { readonly context: RequestContext; caller?: Caller }

const noBytes = Buffer.alloc(0)

/** Shapes what a handler is given. `isOpen` tells whether the answer is still being made. */
export function toHandlerRequest(
  request: FastifyRequest,
  arrival: Arrival,
  part: { reply: FastifyReply; isOpen: () => boolean; log: Logger },
): HttpRequest {
  const { context, caller } = arrival
  let signal: AbortSignal | undefined
  return {
    params: request.params,
    query: request.query,
    headers: request.headers,
    body: request.body,
    rawBody: Buffer.isBuffer(request.body) ? request.body : noBytes,
    caller,
    traceId: context.trace.traceId,
    log: part.log,
    // Made when asked for: most handlers end long before a signal could matter.
    get signal() {
      signal ??= createSignal(part.reply, context, part.isOpen)
      return signal
    },
  }
}

function createSignal(
  reply: FastifyReply,
  { deadlineAtMs }: RequestContext,
  isOpen: () => boolean,
): AbortSignal {
  const controller = new AbortController()
  const gone = () => {
    if (isOpen()) controller.abort(new AppError('timeout', 'CLIENT_GONE', 'The client went away.'))
  }
  if (reply.raw.destroyed) gone()
  reply.raw.once('close', gone)
  if (deadlineAtMs !== undefined) {
    const leftMs = Math.max(0, deadlineAtMs - performance.now())
    const timer = setTimeout(() => controller.abort(deadlineExceeded()), leftMs)
    reply.raw.once('close', () => clearTimeout(timer))
  }
  return controller.signal
}
