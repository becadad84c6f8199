import type { RawRequest } from './api.ts'

/** A JSON Schema of the OpenAPI document, as far as bad values are made from it. */
export type Schema = {
  $ref?: string
  type?: string | string[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  allOf?: Schema[]
  anyOf?: Schema[]
  enum?: unknown[]
  format?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
}

export type Parameter = {
  name: string
  in: 'path' | 'query' | 'header'
  required: boolean
  schema: Schema
  /** What problems call it, where the document has another name for it. */
  'x-name'?: string
}

export type OpenapiOperation = {
  operationId: string
  parameters: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema }> }
}

export type OpenapiDocument = {
  paths: Record<string, Record<string, OpenapiOperation>>
  components: { schemas: Record<string, Schema> }
}

/** A request with one thing wrong, and the field that the answer must name. */
export type BadRequest = { what: string; request: RawRequest; pointer?: string; status?: number }

/** What a good request of the operation looks like. */
export type Sample = {
  params: Record<string, string>
  /** What the operation cannot do without. */
  query: string
  body: unknown
  headers: Record<string, string>
}

type Json = Record<string, unknown>
// Above the limit of a JSON body, which is 64 KiB.
const oversize = 70_000

export function resolveSchema(document: OpenapiDocument, schema: Schema): Schema {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)
    return resolveSchema(document, document.components.schemas[name] ?? {})
  }
  const [only] = schema.allOf ?? []
  return only === undefined ? schema : { ...resolveSchema(document, only), ...schema, allOf: [] }
}

/** Every way in which we know how to get this operation wrong, one at a time. */
export function badRequestsOf(
  document: OpenapiDocument,
  { path, method }: { path: string; method: string },
  sample: Sample,
): BadRequest[] {
  const operation = document.paths[path]?.[method]
  if (!operation) return []
  const json = operation.requestBody?.content['application/json']?.schema
  const isJson = json !== undefined && operation.operationId !== 'receiveStripeWebhook'
  const hasOtherBody = operation.requestBody !== undefined && !isJson
  const build = (change: Change = {}): RawRequest => toRequest({ path, method }, sample, change)
  return [
    ...operation.parameters.flatMap((parameter) => {
      const schema = resolveSchema(document, parameter.schema)
      return parameterFaults(parameter, schema, build)
    }),
    {
      what: 'an unknown query parameter',
      request: build({ query: 'unexpected=1' }),
      pointer: '/query/unexpected',
    },
    ...(isJson ? wholeBodyFaults(build) : []),
    ...(isJson ? bodyFieldFaults(document, json, { sample, build }) : []),
    ...(operation.requestBody || method === 'get' ? [] : unexpectedBody(build)),
    ...(hasOtherBody && operation.operationId === 'importProducts' ? csvFaults(build) : []),
    ...(hasOtherBody && operation.operationId === 'addImage' ? imageFaults(build) : []),
  ]
}

type Change = {
  params?: Record<string, string>
  query?: string
  /** Without the query of the sample. */
  isQueryLeft?: boolean
  headers?: Record<string, string | undefined>
  body?: string | Uint8Array<ArrayBuffer>
}
type Build = (change?: Change) => RawRequest

function toRequest(
  { path, method }: { path: string; method: string },
  { params, query, body, headers }: Sample,
  change: Change,
): RawRequest {
  const asked = [change.isQueryLeft ? '' : query, change.query ?? ''].filter((part) => part !== '')
  const values = { ...params, ...change.params }
  const target = path.replaceAll(/\{(\w+)\}/g, (_all, name: string) => values[name] ?? '')
  const sent = change.body ?? (body === undefined ? undefined : JSON.stringify(body))
  const type = sent === undefined ? {} : { 'content-type': 'application/json' }
  const all = Object.entries({ ...type, ...headers, ...change.headers })
  return {
    method: method.toUpperCase(),
    target: asked.length === 0 ? target : `${target}?${asked.join('&')}`,
    headers: Object.fromEntries(
      all.filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
    body: sent,
  }
}

function parameterFaults(
  { name, in: place, required, 'x-name': known = name }: Parameter,
  schema: Schema,
  build: Build,
): BadRequest[] {
  const bad = (value: string): BadRequest => {
    if (place === 'path') {
      const request = build({ params: { [name]: value } })
      return { what: `${name} = ${value}`, request, pointer: `/params/${known}` }
    }
    if (place === 'header') {
      const request = build({ headers: { [name]: value } })
      return { what: `${name}: ${value}`, request, pointer: `/headers/${name}` }
    }
    const request = build({ query: `${name}=${value}`, isQueryLeft: required })
    return { what: `?${name}=${value}`, request, pointer: `/query/${name}` }
  }
  const faults = badTexts(name, place, schema).map(bad)
  if (place === 'header' && required) {
    const request = build({ headers: { [name]: undefined } })
    faults.push({ what: `no ${name}`, request, pointer: `/headers/${name}` })
  }
  if (place === 'query') {
    if (required) {
      const request = build({ isQueryLeft: true })
      faults.push({ what: `no ${name}`, request, pointer: `/query/${name}` })
    }
    const request = build({ query: `${name}=1&${name}=2`, isQueryLeft: required })
    faults.push({ what: `${name} twice`, request, pointer: `/query/${name}` })
    faults.push({ ...bad('%00'), what: `NUL in ${name}` })
  }
  if (place === 'path') {
    const request = build({ params: { [name]: 'a%00b' } })
    faults.push({ what: `NUL in ${name}`, request, pointer: '/path' })
  }
  return faults
}

function badTexts(name: string, place: Parameter['in'], schema: Schema): string[] {
  if (name === 'cursor') return ['!', 'AAAA', 'x'.repeat(513)]
  if (name === 'if-match') return ['1', 'W/"1"', '"x"']
  if (name === 'idempotency-key') return ['short', 'with blanks inside', 'x'.repeat(201)]
  if (name === 'stripe-signature') return ['x'.repeat(1_001)]
  if (schema.format === 'uuid') return ['not-an-id', '1', '00000000-0000-7000-8000-00000000000']
  if (schema.type === 'integer')
    return ['-1', 'abc', '1.5', '1e99', String((schema.maximum ?? 0) + 1)]
  if (schema.type === 'boolean') return ['maybe']
  if (schema.enum) return ['nonsense']
  if (place === 'path') return ['x'.repeat(100), '~x~']
  return ['x'.repeat((schema.maxLength ?? 100) + 1)]
}

function wholeBodyFaults(build: Build): BadRequest[] {
  const whole = ['{"a":', 'text', '[]', 'null', '42', '"text"', '{"__proto__":{"a":1}}']
  const deep = `${'['.repeat(2_000)}${']'.repeat(2_000)}`
  const pointer = '/body'
  return [
    ...whole
      .slice(0, 6)
      .map((body) => ({ what: `the body ${body}`, request: build({ body }), pointer })),
    { what: 'a body with __proto__', request: build({ body: whole[6] as string }) },
    { what: 'a body that nests deeply', request: build({ body: deep }) },
    {
      what: 'bytes that are no text',
      request: build({ body: new Uint8Array([0x7b, 0xff, 0x7d]) }),
      pointer,
    },
    {
      what: 'an oversize body',
      request: build({ body: JSON.stringify({ a: 'x'.repeat(oversize) }) }),
      status: 413,
      pointer,
    },
    {
      what: 'a body of another type',
      request: build({ headers: { 'content-type': 'text/plain' } }),
      status: 415,
    },
  ]
}

function bodyFieldFaults(
  document: OpenapiDocument,
  schema: Schema,
  { sample, build }: { sample: Sample; build: Build },
): BadRequest[] {
  return fieldFaults(document, schema, sample.body).map(({ what, value, at }) => ({
    what,
    request: build({ body: JSON.stringify(value) }),
    pointer: `/body${at}`,
  }))
}

type FieldFault = { what: string; value: unknown; at: string }

/** Every value that differs from the good one in one bad field, at any depth. */
function fieldFaults(document: OpenapiDocument, unresolved: Schema, good: unknown): FieldFault[] {
  const schema = resolveSchema(document, unresolved)
  if (Array.isArray(good)) {
    const [first] = good
    if (schema.items === undefined || first === undefined) return []
    return fieldFaults(document, schema.items, first).map(({ what, value, at }) => ({
      what,
      value: [value],
      at: `/0${at}`,
    }))
  }
  if (schema.properties === undefined || typeof good !== 'object' || good === null) return []
  const object = good as Json
  const faults: FieldFault[] = [
    { what: 'an unknown field', value: { ...object, unexpected: 1 }, at: '/unexpected' },
  ]
  for (const name of schema.required ?? []) {
    const { [name]: _left, ...rest } = object
    faults.push({ what: `${name} missing`, value: rest, at: `/${name}` })
  }
  for (const [name, each] of Object.entries(schema.properties)) {
    const property = resolveSchema(document, each)
    for (const bad of badValues(property)) {
      const what = `${name} = ${JSON.stringify(bad)?.slice(0, 40)}`
      faults.push({ what, value: { ...object, [name]: bad }, at: `/${name}` })
    }
    for (const { what, value, at } of fieldFaults(document, property, object[name])) {
      const inner = { what: `${name}: ${what}`, value: { ...object, [name]: value } }
      faults.push({ ...inner, at: `/${name}${at}` })
    }
  }
  return faults
}

function badValues(schema: Schema): unknown[] {
  const types = [schema.type ?? []].flat()
  if (types.includes('object') || schema.properties) return ['text', 1, []]
  if (types.includes('array')) return ['text', { unexpected: true }, [{ unexpected: [] }]]
  if (types.includes('integer')) {
    return [(schema.minimum ?? 0) - 1, -1_000_000, 1.5, '3', 1e300, (schema.maximum ?? 1e15) + 1]
  }
  const longer = schema.maxLength !== undefined && schema.maxLength < oversize / 2
  return [
    { unexpected: true },
    42,
    'NUL\u0000inside',
    '\ud800',
    ...(longer ? ['x'.repeat((schema.maxLength ?? 0) + 1)] : []),
  ]
}

function unexpectedBody(build: Build): BadRequest[] {
  const request = build({ body: '{"unexpected":1}' })
  return [{ what: 'a body where none belongs', request, pointer: '/body' }]
}

function csvFaults(build: Build): BadRequest[] {
  const csv = { 'content-type': 'text/csv' }
  const large = 'x'.repeat(16 * 1024 * 1024 + 1)
  return [
    { what: 'no CSV', request: build({ body: '{}' }), status: 415 },
    {
      what: 'an oversize file',
      request: build({ body: large, headers: csv }),
      status: 413,
      pointer: '/body',
    },
  ]
}

function imageFaults(build: Build): BadRequest[] {
  const png = { 'content-type': 'image/png' }
  const large = 'x'.repeat(8 * 1024 * 1024 + 1)
  return [
    {
      what: 'an SVG',
      request: build({ headers: { 'content-type': 'image/svg+xml' }, body: '<svg/>' }),
      status: 415,
    },
    { what: 'no image', request: build({ body: 'a basket', headers: png }), pointer: '/body' },
    { what: 'no body', request: build({ headers: png }), pointer: '/body' },
    {
      what: 'an oversize image',
      request: build({ body: large, headers: png }),
      status: 413,
      pointer: '/body',
    },
  ]
}
