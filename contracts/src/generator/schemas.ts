import { compile, type JSONSchema as TypescriptSchema } from 'json-schema-to-typescript'

/** A JSON Schema, or in our YAML the name of one. */
export type Schema = string | SchemaObject
export type SchemaObject = { [keyword: string]: unknown }
export type Schemas = Readonly<Record<string, Schema>>

/**
 * Expands our YAML's short forms to plain JSON Schema: a string is a reference, an object is
 * closed (unless `open`) and all of its properties required (unless listed in `optional`).
 * `refer` decides what a reference becomes. Throws on a name that is not there.
 */
function expand(schema: Schema, refer: (name: string) => unknown): SchemaObject {
  if (typeof schema === 'string') return refer(schema) as SchemaObject
  const { optional, open, properties, items, anyOf, allOf, ...rest } = schema
  const expanded: SchemaObject = { ...rest }
  if (rest.type === 'object') {
    const fields = Object.entries((properties ?? {}) as Schemas)
    const mayMiss = new Set((optional ?? []) as string[])
    expanded.properties = Object.fromEntries(fields.map(([k, v]) => [k, expand(v, refer)]))
    const required = fields.map(([name]) => name).filter((name) => !mayMiss.has(name))
    if (required.length > 0) expanded.required = required
    expanded.additionalProperties ??= open === true
  }
  if (items) expanded.items = expand(items as Schema, refer)
  if (anyOf) expanded.anyOf = (anyOf as Schema[]).map((each) => expand(each, refer))
  if (allOf) expanded.allOf = (allOf as Schema[]).map((each) => expand(each, refer))
  return expanded
}

/** A schema whose references point to `prefix` + name, for documents with a components section. */
export function withReferences(schema: Schema, prefix: string, names: Schemas): SchemaObject {
  return expand(schema, (name) => {
    if (!(name in names)) throw new Error(`Unknown schema “${name}”.`)
    return { $ref: `${prefix}${name}` }
  })
}

/** The names that something refers to with `prefix`, and what these refer to, in order. */
export function referredNames(something: unknown, prefix: string, names: Schemas): string[] {
  const found = new Set<string>()
  const waiting = [something]
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    for (const [, name = ''] of JSON.stringify(each).matchAll(/"\$ref":"[^"]*?(\w+)"/g)) {
      const schema = names[name]
      if (schema === undefined || found.has(name)) continue
      found.add(name)
      waiting.push(withReferences(schema, prefix, names))
    }
  }
  return Object.keys(names).filter((name) => found.has(name))
}

/** A schema without references, for validators and serializers. */
export function inlined(schema: Schema, names: Schemas): SchemaObject {
  const refer = (name: string): unknown => {
    const target = names[name]
    if (target === undefined) throw new Error(`Unknown schema “${name}”.`)
    return expand(target, refer)
  }
  return mergeNullable(expand(schema, refer)) as SchemaObject
}

/**
 * Writes `anyOf: [X, null]` as `type: [X's, null]` and `allOf: [X]` as X: they mean the same, and a
 * serializer need not try the branches one after another.
 */
function mergeNullable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(mergeNullable)
  if (typeof value !== 'object' || value === null) return value
  const schema = Object.fromEntries(Object.entries(value).map(([k, v]) => [k, mergeNullable(v)]))
  const [only, second] = (schema.anyOf ?? schema.allOf ?? []) as SchemaObject[]
  if (schema.allOf && only && !second) {
    const { allOf, ...rest } = schema
    return { ...only, ...rest }
  }
  if (schema.anyOf && only && second?.type === 'null' && typeof only.type === 'string') {
    const { anyOf, ...rest } = schema
    return { ...only, ...rest, type: [only.type, 'null'] }
  }
  return schema
}

/** TypeScript declarations, one exported type per schema. */
export async function toTypescript(schemas: Schemas, names: Schemas): Promise<string> {
  const used: Schemas = { ...names, ...schemas }
  const definitions = Object.fromEntries(
    Object.entries(used).map(([name, schema]) => [
      name,
      { ...withReferences(schema, '#/definitions/', used), title: name },
    ]),
  )
  const root = {
    title: 'Root',
    type: 'object',
    additionalProperties: false,
    definitions,
    properties: Object.fromEntries(
      Object.keys(schemas).map((name) => [name, { $ref: `#/definitions/${name}` }]),
    ),
  }
  const code = await compile(root as TypescriptSchema, 'Root', {
    bannerComment: '',
    style: { semi: false, singleQuote: true, printWidth: 100 },
    ignoreMinAndMaxItems: true,
  })
  return code.replace(/export interface Root \{[^}]*\}\n/, '')
}
