import type { CommonSource, RouteSource, ServiceSource } from './http.ts'
import { toAccess, toInputs } from './http.ts'
import { type Schema, type SchemaObject, type Schemas, withReferences } from './schemas.ts'

const descriptions: Readonly<Record<string, string>> = {
  200: 'Done.',
  201: 'Created.',
  202: 'Accepted; it takes effect shortly.',
  204: 'Done.',
}

function toParameters(route: RouteSource, common: CommonSource, names: Schemas): unknown[] {
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
      schema: withReferences(each, '#/components/schemas/', names),
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
  const schema = route.bodyType === 'raw' ? { type: 'object' } : { type: 'string' }
  return { requestBody: { required: true, content: { [type]: { schema } } } }
}

function toResponses(route: RouteSource, refer: (schema: Schema) => SchemaObject): SchemaObject {
  const responses: SchemaObject = {}
  for (const [status, schema] of Object.entries(route.responses)) {
    const description = descriptions[status] ?? 'Done.'
    const type = route.stream ? 'text/event-stream' : (route.responseType ?? 'application/json')
    responses[status] =
      schema === null
        ? { description }
        : {
            description,
            content: { [type]: { schema: route.stream ? { type: 'string' } : refer(schema) } },
          }
  }
  responses.default = {
    description: 'A problem, with a stable `code`.',
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
  const refer = (schema: Schema) => withReferences(schema, '#/components/schemas/', names)
  const paths: Record<string, Record<string, unknown>> = {}
  for (const { service, routes } of sources) {
    for (const [operation, route] of Object.entries(routes)) {
      if (route.access === 'internal') continue
      const { permission } = toAccess(route.access)
      paths[route.path] ??= {}
      const operations = paths[route.path] as Record<string, unknown>
      operations[route.method.toLowerCase()] = {
        operationId: operation,
        tags: [service],
        summary: route.summary,
        ...(permission && { description: `Needs the permission \`${permission}\`.` }),
        ...toSecurity(route.access),
        parameters: toParameters(route, common, names),
        ...toBody(route, refer),
        responses: toResponses(route, refer),
      }
    }
  }
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
      schemas: Object.fromEntries(Object.entries(names).map(([name, each]) => [name, refer(each)])),
    },
  }
}
