import type { Operations, routes } from './gen/operations.ts'

export type OperationName = keyof Operations

/** What every call may be told besides the operation's own input. */
export type CallOptions = {
  /** Instead of the client's: a guest's order is read with the order's own token. */
  token?: string | undefined
  /** Ends the call; its reason is thrown. */
  signal?: AbortSignal | undefined
  /** How long the call may take, with all its repetitions. */
  deadlineMs?: number | undefined
  /** How often it may be sent. */
  tries?: number | undefined
}

export type Route = {
  method: string
  path: string
  isPaged?: true
  isPublic?: true
  hasKey?: true
  bodyType?: string | true
  answer?: 'bytes' | 'events'
}

/** A call's input as it is, whichever the operation. */
export type AnyInput = CallOptions & {
  params?: Readonly<Record<string, string>>
  query?: Readonly<Record<string, unknown>>
  body?: unknown
  contentType?: string
  ifMatch?: string | undefined
  idempotencyKey?: string | undefined
  /** An earlier answer; when it is still good, it is given again. */
  known?: { etag: string | undefined } | undefined
}

/** A request that can be sent again and again; only its token may change. */
export type Prepared = {
  operation: string
  route: Route
  url: string
  headers: Readonly<Record<string, string>>
  body: string | Uint8Array<ArrayBuffer> | Blob | undefined
  idempotencyKey: string | undefined
  /** Whether sending it twice does no more than once. */
  isRepeatable: boolean
}

/** The operation's input as a request below `baseUrl`. */
export function prepare(
  baseUrl: string,
  operation: keyof typeof routes,
  { route, input }: { route: Route; input: AnyInput },
): Prepared {
  const { params, query, body, contentType, ifMatch, known } = input
  const idempotencyKey = route.hasKey ? (input.idempotencyKey ?? newKey()) : undefined
  const type = typeof route.bodyType === 'string' ? route.bodyType : contentType
  return {
    operation,
    route,
    url: `${baseUrl}${toPath(route.path, params, query)}`,
    headers: {
      accept: accepted[route.answer ?? 'json'],
      ...(body === undefined ? {} : { 'content-type': type ?? 'application/json' }),
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
      ...(known?.etag === undefined ? {} : { 'if-none-match': known.etag }),
    },
    body: toBody(body, route),
    idempotencyKey,
    isRepeatable: route.method === 'GET' || idempotencyKey !== undefined,
  }
}

const accepted = {
  json: 'application/json, application/problem+json',
  bytes: '*/*',
  events: 'text/event-stream, application/problem+json',
} as const

function toBody(body: unknown, { bodyType }: Route): Prepared['body'] {
  if (body === undefined) return undefined
  return bodyType === undefined ? JSON.stringify(body) : (body as Blob)
}

function toPath(pattern: string, params: AnyInput['params'], query: AnyInput['query']): string {
  const path = pattern.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
    const value = params?.[name]
    // An empty part would ask for another path.
    if (value === undefined || value === '') throw new TypeError(`“${name}” is missing.`)
    return encodeURIComponent(value)
  })
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined) search.set(name, String(value))
  }
  return search.size > 0 ? `${path}?${search}` : path
}

/** Random enough that nobody meets it twice; `randomUUID` is missing on pages without HTTPS. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
