import type { CommonSource, RouteSource, ServiceSource } from './http.ts'
import { toAccess, toInputs } from './http.ts'
import {
  referredNames,
  type Schema,
  type SchemaObject,
  type Schemas,
  withReferences,
} from './schemas.ts'

const prefix = '#/components/schemas/'

const descriptions: Readonly<Record<string, string>> = {
  200: 'Done.',
  201: 'Created.',
  202: 'Accepted; it takes effect shortly.',
  204: 'Done.',
}

/**
 * The path that stands for all that differ from it in the names of parameters alone: to OpenAPI they
 * are one.
 */
function documentedPath(path: string, known: readonly string[]): string {
  const shapeOf = (each: string) => each.replaceAll(/\{\w+\}/g, '{}')
  return known.find((each) => shapeOf(each) === shapeOf(path)) ?? path
}

const namesIn = (path: string) => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)

/** Parameters by the names that the documented path has for them; `x-name` is what problems say. */
function renamed(parameters: readonly Parameter[], from: string, to: string): Parameter[] {
  const names = new Map(namesIn(from).map((name, index) => [name, namesIn(to)[index]]))
  return parameters.map((parameter) => {
    const name = parameter.in === 'path' ? names.get(parameter.name) : undefined
    if (name === undefined || name === parameter.name) return parameter
    return {
      ...parameter,
      name,
      'x-name': parameter.name,
      description: `Here the ${parameter.name}.`,
    }
  })
}

type Parameter = SchemaObject & { name: string; in: string }

function toParameters(route: RouteSource, common: CommonSource, names: Schemas): Parameter[] {
  const inputs = toInputs(route, common)
  const places = { path: inputs.params, query: inputs.query, header: inputs.headers }
  return Object.entries(places).flatMap(([place, schema]) => {
    if (schema === undefined) return []
    const { properties = {}, optional = [] } = schema as {
      properties?: Schemas
      optional?: string[]
    }
    return Object.entries(properties).map(([name, each]) => ({
      name,
      in: place,
      required: !optional.includes(name),
      schema: withReferences(each, prefix, names),
    }))
  })
}

function toBody(route: RouteSource, refer: (schema: Schema) => SchemaObject): SchemaObject {
  if (route.body) {
    return {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: refer(route.body) } },
      },
    }
  }
  if (!route.bodyType) return {}
  if (route.bodyMediaTypes) {
    const binary = { schema: { type: 'string', format: 'binary' } }
    const content = Object.fromEntries(route.bodyMediaTypes.map((type) => [type, binary]))
    return { requestBody: { required: true, content } }
  }
  const type = route.bodyType === 'raw' ? 'application/json' : route.bodyType
  const schema = route.bodyType === 'raw' ? { type: 'object' } : { type: 'string', minLength: 1 }
  return { requestBody: { required: true, content: { [type]: { schema } } } }
}

/** OpenAPI 3.1 has no word for the events of a stream; what each carries is an extension. */
function toStream({ events = {} }: RouteSource, refer: (schema: Schema) => SchemaObject) {
  const carried = Object.entries(events).map(([name, schema]) => [name, refer(schema)])
  return { schema: { type: 'string' }, 'x-events': Object.fromEntries(carried) }
}

function toResponses(route: RouteSource, refer: (schema: Schema) => SchemaObject): SchemaObject {
  const responses: SchemaObject = {}
  for (const [status, schema] of Object.entries(route.responses)) {
    const description = descriptions[status] ?? 'Done.'
    const type = route.stream ? 'text/event-stream' : (route.responseType ?? 'application/json')
    const content = route.stream ? toStream(route, refer) : schema && { schema: refer(schema) }
    responses[status] = { description, ...(content && { content: { [type]: content } }) }
  }
  responses.default = {
    description: 'A problem, with a stable `code`.',
    headers: {
      'Retry-After': {
        description: 'Seconds after which it is worth asking again; with 429 and 503.',
        schema: { type: 'integer', minimum: 1 },
      },
    },
    content: { 'application/problem+json': { schema: refer('Problem') } },
  }
  return responses
}

function toSecurity(access: string): SchemaObject {
  const { kind } = toAccess(access)
  if (kind === 'public') return { security: [] }
  return { security: kind === 'optional' ? [{}, { bearer: [] }] : [{ bearer: [] }] }
}

/** One OpenAPI 3.1 document of every public route. Throws when two services use one schema name. */
export function toOpenapi(sources: ServiceSource[], common: CommonSource): SchemaObject {
  const names: Record<string, Schema> = { ...common.schemas }
  for (const [name, schema] of sources.flatMap((source) => Object.entries(source.schemas ?? {}))) {
    if (name in names) throw new Error(`The schema name “${name}” is used twice.`)
    names[name] = schema
  }
  const refer = (schema: Schema) => withReferences(schema, prefix, names)
  const paths: Record<string, Record<string, unknown>> = {}
  for (const { service, routes } of sources) {
    for (const [operation, route] of Object.entries(routes)) {
      if (route.access === 'internal') continue
      const { permission } = toAccess(route.access)
      const path = documentedPath(route.path, Object.keys(paths))
      paths[path] ??= {}
      const operations = paths[path] as Record<string, unknown>
      operations[route.method.toLowerCase()] = {
        operationId: operation,
        tags: [service],
        summary: route.summary,
        ...(permission && { description: `Needs the permission \`${permission}\`.` }),
        ...toSecurity(route.access),
        parameters: renamed(toParameters(route, common, names), route.path, path),
        ...toBody(route, refer),
        responses: toResponses(route, refer),
      }
    }
  }
  const used = referredNames(paths, prefix, names)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Halles',
      version: '1',
      description:
        'The public API of Halles, through the gateway. Errors are RFC 9457 problem documents.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: sources.map(({ service }) => ({ name: service })),
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: Object.fromEntries(used.map((name) => [name, refer(names[name] as Schema)])),
    },
  }
}
