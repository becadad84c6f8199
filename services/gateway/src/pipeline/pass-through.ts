import type { IncomingHttpHeaders } from 'node:http'
import { AppError } from '@halles/kit/errors'
import { type Cancellation, createCancellation } from '@halles/kit/resilience'
import { type Exchange, endWith, passedHeaders } from '../answer.ts'
import { readBody } from '../body.ts'
import type { AnswerSink, Upstream } from '../upstream.ts'
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
  const { request, trace } = exchange
  const { upstream, target, headers, isRepeatable, streamUntil } = passage
  const reading = readBody(exchange, passage.bodyLimitBytes)
  const body = reading && (await outsideDeadline(exchange, reading))
  const deadlineMs = streamUntil ? 0 : leftMs(exchange)
  const client = cancelledWithClient(exchange)
  const signal = streamUntil ? streamSignal(client, streamUntil) : client
  const { sink, end } = createReply(exchange, passage)
  const method = request.method ?? 'GET'
  await upstream.send(
    { method, target, headers, trace, body, deadlineMs, isRepeatable, signal },
    sink,
  )
  end()
}

/**
 * Writes the answer to the client. The head waits for the first part of the body: what is whole then,
 * as most answers are, leaves in one write, which is the dearest step of all.
 */
function createReply(
  exchange: Exchange,
  { streamUntil, toHeaders = passedHeaders }: Passage,
): { sink: AnswerSink; end: () => void } {
  const { response } = exchange
  let head: { status: number; headers: IncomingHttpHeaders } | undefined
  const writeHead = () => {
    if (head) response.writeHead(head.status, toHeaders(exchange, head.headers))
    head = undefined
  }
  const sink: AnswerSink = {
    onHead(status, headers) {
      head = { status, headers }
      if (!streamUntil) return
      writeHead()
      response.flushHeaders()
    },
    onData(chunk) {
      const isWhole = head?.headers['content-length'] === String(chunk.length)
      writeHead()
      if (isWhole) endWith(response, chunk)
      else if (!response.write(chunk) && !response.destroyed) return drained(exchange)
      return undefined
    },
  }
  const end = () => {
    writeHead()
    if (!response.writableEnded) response.end()
  }
  return { sink, end }
}

/**
 * Cancelled when the client's connection is gone before its answer was sent, also when it went while
 * its body was read. An answer that is over closes too.
 */
function cancelledWithClient({ response }: Exchange): Cancellation {
  const client = createCancellation()
  if (response.destroyed) client.cancel(clientGone)
  else {
    response.on('close', () => {
      if (!response.writableFinished) client.cancel(clientGone)
    })
  }
  return client
}

/** As above, and at the stream's own end; streams are few, and may cost more. */
function streamSignal(client: Cancellation, until: AbortSignal): AbortSignal {
  const controller = new AbortController()
  const abort = () => controller.abort(client.reason)
  if (client.aborted) abort()
  else client.addEventListener('abort', abort)
  return AbortSignal.any([controller.signal, until])
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
