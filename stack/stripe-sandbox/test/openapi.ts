import { readFileSync } from 'node:fs'

type Schema = {
  $ref?: string
  type?: string
  nullable?: boolean
  enum?: unknown[]
  anyOf?: Schema[]
  allOf?: Schema[]
  required?: string[]
  properties?: { [name: string]: Schema }
  items?: Schema
  additionalProperties?: boolean | Schema
  maxLength?: number
}

export type OpenApi = { components: { schemas: { [name: string]: Schema } } }

export function readOpenApi(path: string): OpenApi {
  return JSON.parse(readFileSync(path, 'utf8')) as OpenApi
}

/** What of a value differs from the schema of that name, as `path: what`; `gained` are known. */
export function compare(
  document: OpenApi,
  { name, value, gained }: { name: string; value: unknown; gained: readonly string[] },
): string[] {
  const { schemas } = document.components

  function faultsOf(schema: Schema, value: unknown, path: string): string[] {
    if (schema.$ref !== undefined) {
      const target = schemas[schema.$ref.slice('#/components/schemas/'.length)]
      return target === undefined ? [`${path}: ${schema.$ref}`] : faultsOf(target, value, path)
    }
    if (value === null) return schema.nullable === true ? [] : [`${path}: null`]
    const choices = schema.anyOf ?? schema.allOf
    if (choices !== undefined) {
      const results = choices.map((choice) => faultsOf(choice, value, path))
      return results.toSorted((a, b) => a.length - b.length)[0] ?? []
    }
    if (schema.enum !== undefined && !schema.enum.includes(value)) {
      return [`${path}: ${JSON.stringify(value)} is none of ${schema.enum.join(', ')}`]
    }
    if (typeOf(value) !== (schema.type === 'number' ? 'integer' : (schema.type ?? typeOf(value)))) {
      return [`${path}: ${typeOf(value)} instead of ${schema.type}`]
    }
    if (Array.isArray(value)) {
      const { items } = schema
      if (items === undefined) return []
      return value.flatMap((each, index) => faultsOf(items, each, `${path}[${index}]`))
    }
    return typeof value === 'object' ? faultsOfObject(schema, value as object, path) : []
  }

  function faultsOfObject(schema: Schema, value: object, path: string): string[] {
    const { properties = {}, required = [], additionalProperties } = schema
    const missing = required
      .filter((each) => !(each in value))
      .map((each) => `${path}.${each}: missing`)
    const inner = Object.entries(value).flatMap(([key, each]) => {
      const property = properties[key]
      if (property !== undefined) return faultsOf(property, each, `${path}.${key}`)
      if (typeof additionalProperties === 'object') {
        return faultsOf(additionalProperties, each, `${path}.${key}`)
      }
      // A schema without properties, as an event's object, says nothing about them.
      const isKnown = schema.properties === undefined || gained.includes(key)
      return isKnown ? [] : [`${path}.${key}: unknown`]
    })
    return [...missing, ...inner]
  }

  return faultsOf({ $ref: `#/components/schemas/${name}` }, value, name)
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'number' ? 'integer' : typeof value
}
