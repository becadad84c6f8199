import type { Operations as Auth } from '@halles/contracts/gen/http/auth'
import type { Operations as Carts } from '@halles/contracts/gen/http/carts'
import type { Operations as Customers } from '@halles/contracts/gen/http/customers'
import type { Operations as Gateway } from '@halles/contracts/gen/http/gateway'
import type { Operations as Orders } from '@halles/contracts/gen/http/orders'
import type { Operations as Payments } from '@halles/contracts/gen/http/payments'
import type { Operations as Products } from '@halles/contracts/gen/http/products'
import type { Operations as Rbac } from '@halles/contracts/gen/http/rbac'
import type { Operations as Wishlists } from '@halles/contracts/gen/http/wishlists'
import { type PublicRoute, publicRoutes } from '@halles/contracts/gen/routing'
import { createBreaker } from '@halles/kit/breaker'
import { AppError, type Problem } from '@halles/kit/errors'
import { createHttpClient, type HttpClient } from '@halles/kit/http-client'

/** Every operation of the public API, typed by the contracts. */
export type ApiOperations = Auth &
  Carts &
  Customers &
  Gateway &
  Orders &
  Payments &
  Products &
  Rbac &
  Wishlists

export type OperationName = keyof ApiOperations & string

/** What a call takes: the path's parameters and the body where the contract has them. */
export type ApiInput<Name extends OperationName> = {
  query?: Partial<ApiOperations[Name]['query']>
  headers?: Readonly<Record<string, string>>
} & (ApiOperations[Name]['params'] extends undefined
  ? { params?: undefined }
  : { params: ApiOperations[Name]['params'] }) &
  (ApiOperations[Name]['body'] extends undefined
    ? { body?: undefined }
    : { body: ApiOperations[Name]['body'] })

export type ApiAnswer<Name extends OperationName> = {
  data: ApiOperations[Name]['reply']
  /** Given from the gateways' cache because the service behind it does not answer. */
  isStale: boolean
  /** The version to send as `If-Match`. */
  etag: string | undefined
}

/** The API refused, or the part that the operation belongs to does not answer. */
export class ApiProblem extends Error {
  readonly problem: Problem
  /** The service that the operation belongs to. */
  readonly part: string
  readonly retryAfterSeconds: number | undefined

  constructor(part: string, problem: Problem, retryAfterSeconds?: number) {
    super(`${part}: ${problem.code}`)
    this.name = 'ApiProblem'
    this.part = part
    this.problem = problem
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** On whose behalf a call is made. */
export type Principal = {
  token?: string | undefined
  /** The visitor's address: limits are per visitor, not per web server. */
  clientAddress: string
  signal?: AbortSignal | undefined
  deadlineMs?: number
}

export type Api = {
  routeOf(operation: OperationName): PublicRoute
  /** @throws ApiProblem for every answer that is no success. */
  call<Name extends OperationName>(
    operation: Name,
    input: ApiInput<Name>,
    principal: Principal,
  ): Promise<ApiAnswer<Name>>
  close(): Promise<void>
}

// A service that is slow fills its own places and leaves those of the others free.
const callsPerService = 64
// The gateways know which service is away and answer 503 for it at once: a breaker towards a gateway
// would close the whole shop for the sake of one service.
const neverOpening = () => createBreaker({ failureRatio: 2 })

const routes = new Map(publicRoutes.map((route) => [route.operation, route]))

/** The public API through the gateways, with one client per service behind them. */
export function createApi(options: { addresses: readonly string[]; deadlineMs: number }): Api {
  const { addresses, deadlineMs } = options
  const clients = new Map<string, HttpClient>()

  function clientOf(service: string): HttpClient {
    let client = clients.get(service)
    if (!client) {
      client = createHttpClient({
        name: service,
        addresses,
        deadlineMs,
        connections: callsPerService,
        maxInFlight: callsPerService,
        maxWaiting: callsPerService,
        createBreaker: neverOpening,
      })
      clients.set(service, client)
    }
    return client
  }

  function routeOf(operation: string): PublicRoute {
    const route = routes.get(operation)
    if (!route) throw new Error(`${operation} is no operation of the public API.`)
    return route
  }

  return {
    routeOf,
    async call(operation, input, principal) {
      const route = routeOf(operation)
      const { params, query, body, headers } = input as ApiInput<'putCartLine'>
      const answer = await clientOf(route.service)
        .request({
          method: route.method,
          path: toPath(route.path, params, query),
          headers: { ...toHeaders(principal), ...headers },
          ...(body === undefined ? {} : { body }),
          ...(principal.signal && { signal: principal.signal }),
          ...(principal.deadlineMs !== undefined && { deadlineMs: principal.deadlineMs }),
        })
        .catch((error: unknown) => {
          throw toProblem(route.service, error)
        })
      if (answer.status >= 400) throw toApiProblem(route.service, answer)
      return {
        data: answer.body as never,
        isStale: /\bstale-if-error\b/.test(String(answer.headers['cache-status'] ?? '')),
        etag: answer.headers.etag as string | undefined,
      }
    },
    async close() {
      await Promise.all([...clients.values()].map((client) => client.close()))
    },
  }
}

function toHeaders({ token, clientAddress }: Principal): Record<string, string> {
  return {
    'x-forwarded-for': clientAddress,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
}

/** `/carts/{cartId}?limit=5` with its values encoded. */
export function toPath(
  pattern: string,
  params: object | undefined,
  query: Readonly<Record<string, unknown>> | undefined,
): string {
  const path = pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String((params as Record<string, string> | undefined)?.[name] ?? '')),
  )
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== '') search.set(name, String(value))
  }
  return search.size > 0 ? `${path}?${search}` : path
}

function toApiProblem(
  service: string,
  { status, headers, body }: { status: number; headers: Record<string, unknown>; body: unknown },
): ApiProblem {
  const known = typeof body === 'object' && body !== null && 'code' in body
  const problem = known
    ? (body as Problem)
    : { type: 'about:blank', title: '', status, code: 'UNKNOWN_ANSWER', detail: '' }
  const retryAfter = Number(headers['retry-after'])
  return new ApiProblem(service, problem, Number.isFinite(retryAfter) ? retryAfter : undefined)
}

/** A call that got no answer at all. What the visitor broke off stays what it is. */
function toProblem(service: string, error: unknown): unknown {
  if (!(error instanceof AppError)) return error
  if (error.kind !== 'unavailable' && error.kind !== 'timeout') return error
  const { code, message: detail } = error
  const problem = { type: 'about:blank', title: 'unavailable', status: 503, code, detail }
  return new ApiProblem(service, problem, error.retryAfterSeconds ?? 1)
}
