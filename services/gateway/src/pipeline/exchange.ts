import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Tracer } from '@halles/kit/spans'
import { childOf, deadlineHeader, parseTraceparent } from '@halles/kit/trace'
import type { Exchange } from '../answer.ts'
import type { ReadClient } from './client.ts'
import type { Cors } from './cors.ts'

/**
 * Opens what is known of a request on its way. A caller from outside does not choose our deadlines
 * nor say who it is, so what it claims is dropped here, once for every way that a request can go.
 */
export function openExchange(
  request: IncomingMessage,
  response: ServerResponse,
  { readClient, cors, tracer }: { readClient: ReadClient; cors: Cors; tracer?: Tracer | undefined },
): Exchange {
  const { headers } = request
  const { traceparent } = headers
  const caller = parseTraceparent(Array.isArray(traceparent) ? undefined : traceparent)
  const client = readClient(request)
  if (headers[deadlineHeader] !== undefined) delete headers[deadlineHeader]
  return {
    request,
    response,
    client,
    trace: tracer ? tracer.join(caller) : childOf(caller),
    startedAtMs: performance.now(),
    deadlineAtMs: Number.POSITIVE_INFINITY,
    route: 'none',
    isPage: false,
    cors: cors.headersOf(headers.origin),
    isPassed: false,
    cached: undefined,
  }
}
