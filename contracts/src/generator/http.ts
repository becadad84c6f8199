import { inlined, type Schema, type SchemaObject, type Schemas, toTypescript } from './schemas.ts'

export type CacheRule = {
  maxAgeSeconds: number
  staleWhileRevalidateSeconds: number
  staleIfErrorSeconds: number
}
type PageQuery = { page?: true; properties?: Schemas; required?: string[] }
export type RouteSource = {
  method: string
  path: string
  summary: string
  access: string
  rate: string
  cache?: CacheRule
  query?: 'page' | PageQuery
  headers?: { required?: string[]; optional?: string[] }
  body?: Schema
  bodyType?: 'raw' | 'text/csv'
  /** What a raw body may be; anything when it is left out. */
  bodyMediaTypes?: string[]
  bodyLimitBytes?: number
  idempotent?: true
  stream?: true
  /** The JSON that a stream's server-sent events carry, by their names. */
  events?: Schemas
  /** What a success is, where it is no JSON. */
  responseType?: string
  /** Who does it is kept in the audit log before it is done, as this action. */
  audit?: string
  /** Instead of the one of its rate class. */
  deadlineMs?: number
  responses: Record<string, Schema | null>
}
export type ServiceSource = {
  service: string
  schemas?: Schemas
  routes: Record<string, RouteSource>
}
export type CommonSource = {
  schemas: Schemas
  page: Schemas
  params: Schemas
  headers: Record<string, SchemaObject>
}

/** `access: products:write` is short for the permission; the other words stand for themselves. */
export function toAccess(access: string): { kind: string; permission?: string } {
  return access.includes(':') ? { kind: 'permission', permission: access } : { kind: access }
}

function parameterNames(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string)
}

/** The object schemas of a route's inputs, in our YAML's short form. */
export function toInputs(route: RouteSource, common: CommonSource): Record<string, Schema> {
  const inputs: Record<string, Schema> = {}
  const params = parameterNames(route.path)
  if (params.length > 0) {
    const known = params.map((name) => {
      if (!common.params[name]) throw new Error(`common.yaml has no parameter “${name}”.`)
      return [name, common.params[name]]
    })
    inputs.params = { type: 'object', properties: Object.fromEntries(known) }
  }
  const query = route.query === 'page' ? { page: true as const } : route.query
  const properties = { ...(query?.page ? common.page : {}), ...query?.properties }
  const optionalQuery = Object.keys(properties).filter((name) => !query?.required?.includes(name))
  inputs.query = { type: 'object', properties, optional: optionalQuery }
  const { required = [], optional = [] } = route.headers ?? {}
  if (required.length + optional.length > 0) {
    const named = [...required, ...optional].map((name) => [
      name.toLowerCase(),
      common.headers[name],
    ])
    inputs.headers = {
      type: 'object',
      open: true,
      properties: Object.fromEntries(named),
      optional: optional.map((name) => name.toLowerCase()),
    }
  }
  if (route.body) inputs.body = route.body
  return inputs
}

/** A query parameter with a default is there after validation. */
function presentAfterDefaults(query: Schema): Schema {
  const { properties, ...rest } = query as {
    properties: Record<string, SchemaObject | string>
    optional: string[]
  }
  const optional = rest.optional.filter((name) => {
    const schema = properties[name]
    return typeof schema === 'string' || schema?.default === undefined
  })
  return { ...rest, properties, optional }
}

/** The module of one service: its types, its operations by name, its routes as data. */
export async function toHttpModule(source: ServiceSource, common: CommonSource): Promise<string> {
  const names: Schemas = { ...common.schemas, ...source.schemas }
  const routes: Record<string, unknown> = {}
  const types: Record<string, Schema> = { ...source.schemas }
  const operations: string[] = []
  for (const [operation, route] of Object.entries(source.routes)) {
    const { query, headers, body, responses, access, events: _events, ...plain } = route
    const inputs = toInputs(route, common)
    const members = ['params', 'query', 'headers', 'body'].map((part) => {
      const schema = inputs[part]
      if (schema === undefined) {
        const raw = part === 'body' && route.bodyType
        return `${part}: ${raw ? (raw === 'raw' ? 'Buffer' : 'string') : 'undefined'}`
      }
      if (typeof schema === 'string') {
        types[schema] = names[schema] as Schema
        return `${part}: ${schema}`
      }
      const name = `${capitalize(operation)}${capitalize(part)}`
      types[name] = part === 'query' ? presentAfterDefaults(schema) : schema
      return `${part}: ${name}`
    })
    const success = Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1]
    const reply = typeof success === 'string' ? success : 'undefined'
    const { kind } = toAccess(access)
    operations.push(`  ${operation}: { ${members.join('; ')}; reply: ${reply}; access: '${kind}' }`)
    routes[operation] = {
      operation,
      service: source.service,
      ...plain,
      access: toAccess(access),
      ...Object.fromEntries(Object.entries(inputs).map(([k, v]) => [k, inlined(v, names)])),
      responses: Object.fromEntries(
        Object.entries(responses).map(([status, schema]) => [
          status,
          schema === null ? null : inlined(schema, names),
        ]),
      ),
    }
  }
  const declarations = await toTypescript(types, names)
  return [
    declarations,
    `export type Operations = {\n${operations.join('\n')}\n}`,
    `export const routes = ${JSON.stringify(routes, null, 2)} as const`,
  ].join('\n')
}

export function capitalize(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
