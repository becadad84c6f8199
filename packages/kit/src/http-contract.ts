import type { EventStream, Reply } from './http-reply.ts'
import type { Logger } from './logging.ts'
import type { Caller } from './tokens.ts'

/** A JSON Schema (2020-12) without outside references. */
export type JsonSchema = Readonly<Record<string, unknown>>

/**
 * Who may call a route. `optional` verifies a token when one is sent and is anonymous otherwise;
 * `order-holder` takes a guest's order token as well as a signed-in caller, and is the only kind
 * that does; `internal` is for other services.
 */
export type Access = {
  readonly kind: 'public' | 'optional' | 'signed-in' | 'order-holder' | 'permission' | 'internal'
  readonly permission?: string
}

/** A public or internal route as data; contracts provide it, the kit only reads it. */
export type RouteContract = {
  readonly operation: string
  readonly service: string
  readonly method: string
  /** OpenAPI style: `/api/v1/carts/{cartId}`. */
  readonly path: string
  readonly summary: string
  readonly access: Access
  readonly params?: JsonSchema
  readonly query?: JsonSchema
  readonly headers?: JsonSchema
  readonly body?: JsonSchema
  /** Defaults to `json` when there is a body schema. */
  readonly bodyType?: 'json' | 'raw' | 'text/csv'
  /** What a raw body may be; anything when it is left out. */
  readonly bodyMediaTypes?: readonly string[]
  readonly bodyLimitBytes?: number
  /** By status; null where there is no body or it is not JSON. */
  readonly responses: Readonly<Record<string, JsonSchema | null>>
  readonly cache?: unknown
  readonly rate: string
  readonly idempotent?: boolean
}

/** The types of one operation as contracts generate them. */
export type OperationTypes = {
  params?: unknown
  query?: unknown
  headers?: unknown
  body?: unknown
  reply?: unknown
  /** The access kind; unless `public`, `optional` or `internal` the caller is always there. */
  access?: string
}

/** A map from operation name to its types. */
export type Operations<O> = { [Name in keyof O]: OperationTypes }

type CallerOf<O extends OperationTypes> = O extends {
  access: 'signed-in' | 'order-holder' | 'permission'
}
  ? Caller
  : Caller | undefined

// Without a JSON body (204, pages, streams) the contract has no type for what is returned.
type ReplyOf<O extends OperationTypes> = [O['reply']] extends [undefined] ? unknown : O['reply']

/** What a handler is given: parsed, validated and authorized. */
export type HttpRequest<O extends OperationTypes = OperationTypes> = {
  readonly params: O['params']
  readonly query: O['query']
  /** All headers, lower case; those of the contract are validated. */
  readonly headers: O['headers']
  readonly body: O['body']
  /** The exact bytes, for routes whose body type is `raw`; empty otherwise. */
  readonly rawBody: Buffer
  readonly caller: CallerOf<O>
  /** Aborted when the client goes away, the caller's deadline passes or a stream must end. */
  readonly signal: AbortSignal
  readonly traceId: string
  readonly log: Logger
}

/** What serves an operation: returns the body of the default status, or a reply or stream. */
export type Handler<O extends OperationTypes = OperationTypes> = (
  request: HttpRequest<O>,
) => Promise<ReplyOf<O> | Reply<ReplyOf<O>> | EventStream>
