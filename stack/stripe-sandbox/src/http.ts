import { timingSafeEqual } from 'node:crypto'
import http from 'node:http'
import { answerApi } from './api.ts'
import { apiVersion } from './api-version.ts'
import { ApiError, invalid, toErrorBody, unauthenticated } from './errors.ts'
import { type PageAnswer, showPage, submitPage } from './hosted-page.ts'
import type { createIdempotency } from './idempotency.ts'
import { mintId } from './ids.ts'
import { answerInspection } from './inspection.ts'
import type { Deps } from './use-cases.ts'
import type { Webhooks } from './webhooks.ts'

export type Edge = {
  deps: Deps
  apiKey: string
  idempotency: ReturnType<typeof createIdempotency>
  webhooks: Webhooks
  logger: { error(fields: object, message: string): void }
}

type Answer = { status: number; headers?: { [name: string]: string }; body: string }
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

/** The server of all three edges: Stripe's API, the hosted pages, and the view for tests. */
export function createServer(edge: Edge): http.Server {
  const server = http.createServer((request, response) => {
    const requestId = mintId('req_')
    answer(edge, request, requestId)
      .catch((error: unknown) => toFailure(edge, error, requestId))
      .then((result) => {
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

async function answer(
  edge: Edge,
  request: http.IncomingMessage,
  requestId: string,
): Promise<Answer> {
  const target = request.url ?? '/'
  const mark = target.indexOf('?')
  const call: Call = {
    method: request.method ?? 'GET',
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : target.slice(mark + 1),
    body: request.method === 'POST' ? await readBody(request) : '',
    headers: request.headers,
    requestId,
  }
  if (call.path === '/healthz') return { status: 200, headers: json, body: '{"state":"ready"}' }
  if (call.path.startsWith('/c/pay/')) return answerPage(edge, call)
  authorize(edge.apiKey, call.headers.authorization)
  if (call.path.startsWith('/_sandbox/')) {
    const body = await answerInspection(edge.deps.store, edge.webhooks, call)
    return { status: 200, headers: json, body }
  }
  return answerCall(edge, call)
}

async function answerPage({ deps }: Edge, call: Call): Promise<PageAnswer> {
  const sessionId = call.path.slice('/c/pay/'.length)
  if (call.method !== 'GET' && call.method !== 'POST')
    throw invalid('This page takes GET and POST.')
  const page =
    call.method === 'POST' ? submitPage(deps, sessionId, call.body) : showPage(deps, sessionId)
  await deps.store.committed()
  return page
}

async function answerCall(edge: Edge, call: Call): Promise<Answer> {
  const { deps } = edge
  checkVersion(call.headers['stripe-version'])
  const key = singleHeader(call.headers['idempotency-key'])
  const cause = { id: call.requestId, idempotency_key: key ?? null }
  const execute = () => answerApi(deps, { ...call, cause })
  if (call.method !== 'POST' || key === undefined) {
    const body = execute()
    if (call.method === 'POST') await deps.store.committed()
    return { status: 200, headers: json, body }
  }
  const keyed = await edge.idempotency.answer({ ...call, key }, execute)
  const replayed =
    keyed.replayOf === null
      ? {}
      : { 'idempotent-replayed': 'true', 'original-request': keyed.replayOf }
  return {
    status: keyed.status,
    headers: { ...json, 'idempotency-key': encodeURI(key), ...replayed },
    body: keyed.body,
  }
}

function toFailure({ logger }: Edge, error: unknown, requestId: string): Answer {
  if (error instanceof ApiError) {
    return { status: error.status, headers: json, body: toErrorBody(error, requestId) }
  }
  // Neither the body nor the query goes into the log: a hosted page's body holds a card.
  logger.error({ error, requestId }, 'The sandbox failed')
  const failure = new ApiError(500, {
    type: 'api_error',
    message: 'An error occurred in the local Stripe sandbox.',
  })
  return { status: 500, headers: json, body: toErrorBody(failure, requestId) }
}

function checkVersion(header: string | string[] | undefined): void {
  if (header === undefined || header === apiVersion) return
  throw invalid(`Invalid Stripe API version: the local sandbox speaks ${apiVersion} only.`)
}

function singleHeader(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

function authorize(apiKey: string, header: string | undefined): void {
  const presented = presentedKey(header)
  if (presented === null) {
    throw unauthenticated(
      "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
    )
  }
  const given = Buffer.from(presented)
  const expected = Buffer.from(apiKey)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw unauthenticated('Invalid API Key provided.')
  }
}

function presentedKey(header: string | undefined): string | null {
  const [scheme = '', value = ''] = (header ?? '').split(' ')
  if (/^bearer$/i.test(scheme) && value !== '') return value
  if (!/^basic$/i.test(scheme)) return null
  return Buffer.from(value, 'base64').toString().split(':')[0] || null
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
