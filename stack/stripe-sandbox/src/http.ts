import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { authorize, checkVersion, singleHeader } from './access.ts'
import { answerApi } from './api/answer.ts'
import { operationOf } from './api/resources.ts'
import { apiVersion } from './api-version.ts'
import { ApiError, invalid, toErrorBody } from './errors.ts'
import { failAfter, failBefore, stickyError } from './faults/api.ts'
import type { ApiFault } from './faults/registry.ts'
import { showPage, submitPage } from './hosted-page.ts'
import type { createIdempotency } from './idempotency.ts'
import { mintId } from './ids.ts'
import { answerInspection, type Inspected } from './inspection/answer.ts'

export type Edge = Inspected & {
  apiKey: string
  idempotency: ReturnType<typeof createIdempotency>
  logger: { error(fields: object, message: string): void }
}

/** Null is no answer at all: the connection is cut. */
type Answer = { status: number; headers?: { [name: string]: string }; body: string } | null
type Call = {
  method: string
  path: string
  query: string
  body: string
  headers: http.IncomingHttpHeaders
  requestId: string
}

// A session with 100 lines and full metadata is under this; anything larger is a mistake.
const maxBodyBytes = 1_048_576
const json = { 'content-type': 'application/json' }

/** The server of all three edges: Stripe's API, the hosted pages, and the inspection. */
export function createServer(edge: Edge): http.Server {
  const server = http.createServer((request, response) => {
    const requestId = mintId('req_')
    answer(edge, { request, response, requestId })
      .catch((error: unknown) => toFailure(edge, error, requestId))
      .then((result) => {
        if (result === null) {
          request.socket.resetAndDestroy()
          return
        }
        const headers = {
          'request-id': requestId,
          'stripe-version': apiVersion,
          'cache-control': 'no-store',
          'content-length': Buffer.byteLength(result.body),
          ...result.headers,
        }
        response.writeHead(result.status, headers).end(result.body)
      })
      .catch((error: unknown) => {
        edge.logger.error({ error, requestId }, 'An answer could not be written')
        response.destroy()
      })
  })
  // Longer than any client keeps an idle connection, so that none is closed under a new request.
  server.keepAliveTimeout = 75_000
  server.requestTimeout = 30_000
  return server
}

type Exchange = {
  request: http.IncomingMessage
  response: http.ServerResponse
  requestId: string
}

async function answer(edge: Edge, { request, response, requestId }: Exchange): Promise<Answer> {
  const target = request.url ?? '/'
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  if (path === '/healthz') return { status: 200, headers: json, body: '{"state":"ready"}' }
  const call: Call = {
    method: request.method ?? 'GET',
    path,
    query: mark < 0 ? '' : target.slice(mark + 1),
    body: request.method === 'POST' ? await readBody(request) : '',
    headers: request.headers,
    requestId,
  }
  const operation = () =>
    path.startsWith('/c/pay/')
      ? `page.${call.method === 'POST' ? 'submit' : 'show'}`
      : operationOf(call.method, path)
  const isInspection = path.startsWith('/_sandbox/')
  const fault = isInspection || edge.faults.isQuiet() ? null : edge.faults.takeApi(operation())
  return fault === null
    ? answerCall(edge, call, null)
    : answerWithFault(edge, { call, response }, fault.fault)
}

/** The same call, with what is wrong before it, after it, or instead of its answer. */
async function answerWithFault(
  edge: Edge,
  { call, response }: { call: Call; response: http.ServerResponse },
  fault: ApiFault,
): Promise<Answer> {
  failBefore(fault, singleHeader(call.headers['idempotency-key']))
  if (fault.kind === 'reset_before') return null
  if (fault.kind === 'delay') await holdOn(response, fault.delayMs)
  const result = await answerCall(edge, call, fault)
  failAfter(fault)
  if (fault.kind === 'timeout_after') await holdOn(response, fault.delayMs)
  return fault.kind === 'reset_after' || fault.kind === 'timeout_after' ? null : result
}

/** Waits, but no longer than the caller does. */
async function holdOn(response: http.ServerResponse, ms: number): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  // The timer alone must not keep a process alive that wants to end.
  await sleep(ms, undefined, { signal: gone.signal, ref: false }).catch((error: unknown) => {
    if (!gone.signal.aborted) throw error
  })
}

async function answerCall(edge: Edge, call: Call, fault: ApiFault | null): Promise<Answer> {
  if (call.path.startsWith('/c/pay/')) return answerPage(edge, call)
  authorize(edge.apiKey, call.headers.authorization)
  if (!call.path.startsWith('/_sandbox/')) return answerStripe(edge, call, fault)
  const cause = { id: call.requestId, idempotency_key: null }
  const isJson = call.headers['content-type']?.startsWith('application/json') ?? false
  const body = await answerInspection(edge, { ...call, isJson, cause })
  return { status: 200, headers: json, body }
}

async function answerPage({ deps }: Edge, call: Call): Promise<Answer> {
  const sessionId = call.path.slice('/c/pay/'.length)
  if (call.method !== 'GET' && call.method !== 'POST')
    throw invalid('This page takes GET and POST.')
  const page =
    call.method === 'POST' ? submitPage(deps, sessionId, call.body) : showPage(deps, sessionId)
  await deps.store.committed()
  return page
}

async function answerStripe(edge: Edge, call: Call, fault: ApiFault | null): Promise<Answer> {
  const { deps } = edge
  checkVersion(call.headers['stripe-version'])
  const key = singleHeader(call.headers['idempotency-key'])
  const cause = { id: call.requestId, idempotency_key: key ?? null }
  const execute = () => {
    const body = answerApi(deps, { ...call, cause })
    if (fault?.kind === 'sticky_error_after') throw stickyError(fault)
    return body
  }
  if (call.method !== 'POST' || key === undefined) {
    const body = execute()
    if (call.method === 'POST') await deps.store.committed()
    return { status: 200, headers: json, body }
  }
  const keyed = await edge.idempotency.answer({ ...call, key }, execute)
  return {
    status: keyed.status,
    headers: { ...json, 'idempotency-key': encodeURI(key), ...replayHeaders(keyed) },
    body: keyed.body,
  }
}

function replayHeaders({ status, replayOf }: { status: number; replayOf: string | null }) {
  return {
    // A failure that is remembered is what every repetition of its key will get.
    ...(status >= 500 ? { 'stripe-should-retry': 'false' } : {}),
    ...(replayOf === null ? {} : { 'idempotent-replayed': 'true', 'original-request': replayOf }),
  }
}

function toFailure({ logger }: Edge, error: unknown, requestId: string): Answer {
  if (error instanceof ApiError) {
    const headers = { ...json, ...error.headers }
    return { status: error.status, headers, body: toErrorBody(error, requestId) }
  }
  // Neither the body nor the query goes into the log: a hosted page's body holds a card.
  logger.error({ error, requestId }, 'The sandbox failed')
  const failure = new ApiError(500, {
    type: 'api_error',
    message: 'An error occurred in the local Stripe sandbox.',
  })
  return { status: 500, headers: json, body: toErrorBody(failure, requestId) }
}

async function readBody(request: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  // Left open on a return, so that a refusal still reaches the client.
  const body: AsyncIterable<Buffer> = request.iterator({ destroyOnReturn: false })
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBodyBytes) {
      const message = 'The request is too large.'
      throw new ApiError(413, { type: 'invalid_request_error', message })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
