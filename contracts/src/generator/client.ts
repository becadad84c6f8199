import {
  type CommonSource,
  capitalize,
  type RouteSource,
  type ServiceSource,
  toInputs,
} from './http.ts'
import { type Schema, type SchemaObject, type Schemas, toTypescript } from './schemas.ts'

/** What the client has to know of a route besides its types. */
type ClientRoute = {
  method: string
  path: string
  /** The items of this list are asked for page by page. */
  isPaged?: true
  /** Asks for no token, and none is sent. */
  isPublic?: true
  /** Takes an `Idempotency-Key`. */
  hasKey?: true
  /** Of a body that is no JSON; true where the caller says it. */
  bodyType?: string | true
  /** What an answer is, when it is no JSON. */
  answer?: 'bytes' | 'events'
}

/** A public route that somebody else than the payment provider calls. */
function isForClients({ access, rate }: RouteSource): boolean {
  return access !== 'internal' && rate !== 'webhook'
}

function successOf({ responses }: RouteSource): Schema | null | undefined {
  return Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1]
}

function itemsOf(route: RouteSource, names: Schemas): SchemaObject | undefined {
  const success = successOf(route)
  const page = typeof success === 'string' ? (names[success] as SchemaObject) : undefined
  const { items, nextCursor } = (page?.properties ?? {}) as Record<string, SchemaObject>
  return nextCursor === undefined ? undefined : items
}

/** The types of an operation; those without a name of their own are added to `types`. */
function toType(
  operation: string,
  route: RouteSource,
  { common, names, types }: { common: CommonSource; names: Schemas; types: Record<string, Schema> },
): string {
  const { params, query, headers = {}, body } = toInputs(route, common) as Record<string, Schema>
  const members: string[] = []
  const nameOf = (schema: Schema, part: string): string => {
    const name = typeof schema === 'string' ? schema : `${capitalize(operation)}${part}`
    types[name] = typeof schema === 'string' ? (names[schema] as Schema) : schema
    return name
  }
  if (params !== undefined) members.push(`params: ${nameOf(params, 'Params')}`)
  const { properties = {}, optional = [] } = query as { properties: Schemas; optional: string[] }
  const count = Object.keys(properties).length
  if (query !== undefined && count > 0) {
    members.push(`query${optional.length < count ? '' : '?'}: ${nameOf(query, 'Query')}`)
  }
  const known = Object.keys((headers as { properties?: Schemas }).properties ?? {})
  if (known.includes('if-match')) members.push('ifMatch?: string | undefined')
  if (known.includes('idempotency-key')) members.push('idempotencyKey?: string | undefined')
  if (body !== undefined) members.push(`body: ${nameOf(body, 'Body')}`)
  else if (route.bodyType === 'text/csv') members.push('body: string')
  else if (route.bodyType === 'raw') members.push('body: Uint8Array | Blob')
  const media = route.bodyMediaTypes?.map((type) => `'${type}'`).join(' | ')
  if (media) members.push(`contentType: ${media}`)

  const items = itemsOf(route, names)?.items as Schema | undefined
  const parts = [
    members.length > 0 ? `input: { ${members.join('; ')} }` : 'input: object',
    toReply(route, nameOf),
    ...(items === undefined ? [] : [`item: ${nameOf(items, 'Item')}`]),
  ]
  return `  /** ${route.summary} */\n  ${operation}: { ${parts.join('; ')} }`
}

function toReply(route: RouteSource, nameOf: (schema: Schema, part: string) => string): string {
  if (route.stream) {
    const events = Object.entries(route.events ?? {})
    return `events: { ${events.map(([name, data]) => `${name}: ${nameOf(data, 'Event')}`).join('; ')} }`
  }
  if (answersBytes(route)) return 'reply: Uint8Array'
  const success = successOf(route)
  return `reply: ${success ? nameOf(success, 'Reply') : 'undefined'}`
}

function answersBytes({ responseType }: RouteSource): boolean {
  return responseType !== undefined && !/json$/.test(responseType)
}

function toClientRoute(route: RouteSource, names: Schemas): ClientRoute {
  const { headers = {}, bodyType } = route
  const named = [...(headers.required ?? []), ...(headers.optional ?? [])]
  return {
    method: route.method,
    path: route.path,
    ...(itemsOf(route, names) && { isPaged: true }),
    ...(route.access === 'public' && { isPublic: true }),
    ...(named.includes('Idempotency-Key') && { hasKey: true }),
    ...(bodyType && { bodyType: bodyType === 'raw' ? true : bodyType }),
    ...(route.stream && { answer: 'events' as const }),
    ...(answersBytes(route) && { answer: 'bytes' as const }),
  }
}

/** The module of all operations of the public API as a client sees them: types, and a table. */
export async function toClientModule(
  sources: readonly ServiceSource[],
  common: CommonSource,
): Promise<string> {
  const names: Record<string, Schema> = { ...common.schemas }
  for (const { schemas } of sources) Object.assign(names, schemas)
  const types: Record<string, Schema> = { Problem: names.Problem as Schema }
  const operations: string[] = []
  const routes: string[] = []
  for (const [operation, route] of sources.flatMap((source) => Object.entries(source.routes))) {
    if (!isForClients(route)) continue
    operations.push(toType(operation, route, { common, names, types }))
    routes.push(`  ${operation}: ${JSON.stringify(toClientRoute(route, names))},`)
  }
  return [
    await toTypescript(types, names),
    '/** What each operation takes and answers. */',
    `export type Operations = {\n${operations.join('\n')}\n}\n`,
    '/** Where each operation is. */',
    `export const routes = {\n${routes.join('\n')}\n} as const\n`,
  ].join('\n')
}
