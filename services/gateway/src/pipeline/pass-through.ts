import type { IncomingHttpHeaders } from 'node:http'
import { AppError } from '@halles/kit/errors'
import { childOf, deadlineHeader, formatTraceparent } from '@halles/kit/trace'
import { type Exchange, passedHeaders } from '../answer.ts'
import { readBody } from '../body.ts'
import type { Upstream } from '../upstream.ts'
import { leftMs, outsideDeadline } from './deadline.ts'

/** What is asked of a service on behalf of one client. */
export type Passage = {
  readonly upstream: Upstream
  /** Path and query. */
  readonly target: string
  /** The client's headers that the service gets. */
  readonly headers: Record<string, string>
  readonly bodyLimitBytes?: number | undefined
  /** Whether it may be sent again after it may have been served. */
  readonly isRepeatable: boolean
  /** An event stream has no deadline; it ends with the client, or when this signal is aborted. */
  readonly streamUntil?: AbortSignal | undefined
  /** The headers of the answer; by default those that services may set. */
  readonly toHeaders?: (exchange: Exchange, upstream: IncomingHttpHeaders) => string[]
}

/**
 * Sends a request on and its answer back as it comes. A client that goes away ends the work at the
 * service; one that reads slowly slows the service down instead of filling our memory.
 */
export async function passThrough(exchange: Exchange, passage: Passage): Promise<void> {
  const { request, response } = exchange
  const { upstream, target, streamUntil, toHeaders = passedHeaders } = passage
  const reading = readBody(exchange, passage.bodyLimitBytes)
  const body = reading && (await outsideDeadline(exchange, reading))
  const deadlineMs = streamUntil ? 0 : leftMs(exchange)
  const signal = clientSignal(exchange)
  const headers = {
    ...passage.headers,
    traceparent: formatTraceparent(childOf(exchange.trace)),
    ...(deadlineMs > 0 && { [deadlineHeader]: String(deadlineMs) }),
  }
  await upstream.send(
    {
      ...{ method: request.method ?? 'GET', target, headers, body, deadlineMs },
      isRepeatable: passage.isRepeatable,
      signal: streamUntil ? AbortSignal.any([signal, streamUntil]) : signal,
    },
    {
      onHead(status, upstreamHeaders) {
        response.writeHead(status, toHeaders(exchange, upstreamHeaders))
        if (streamUntil) response.flushHeaders()
      },
      onData(chunk) {
        if (response.write(chunk) || response.destroyed) return undefined
        return drained(exchange)
      },
    },
  )
  response.end()
}

/**
 * Aborted when the client's connection is gone before its answer was sent, also when it went while
 * its body was read. An answer that is over closes too: to abort then would cost as much as a step.
 */
function clientSignal({ response }: Exchange): AbortSignal {
  const client = new AbortController()
  if (response.destroyed) client.abort(clientGone)
  else {
    response.once('close', () => {
      if (!response.writableFinished) client.abort(clientGone)
    })
  }
  return client.signal
}

// Made once: the default reason takes a stack trace each time.
const clientGone = new AppError('timeout', 'CLIENT_GONE', 'The client went away.')

function drained({ response }: Exchange): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle)
      resolve()
    }
    response.on('drain', settle).on('close', settle)
  })
}
