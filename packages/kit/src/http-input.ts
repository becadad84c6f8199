import { isUtf8 } from 'node:buffer'
import type { ErrorObject, ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { fastFormats, fullFormats } from 'ajv-formats/dist/formats.js'
import { AppError, type FieldError } from './errors.ts'
import type { JsonSchema, RouteContract } from './http-contract.ts'
import { isUuid } from './ids.ts'

/** Checks the parts of requests against one contract; throws `INVALID_REQUEST` with all faults. */
export type InputCheck = (input: RequestInput) => void

export type RequestInput = { params: unknown; query: unknown; headers: unknown; body: unknown }

// Enough to repair a form in one go; a hostile body cannot make us write a longer answer.
const maxFaults = 20
// A field name in a pointer is the client's own text, so it is cut.
const maxPointerLength = 200
// No contract nests deeper; deeper input would only serve to exhaust the stack.
const maxDepth = 32

/** Compiles validators for contracts: bodies as they are, text parts (query, params) coerced. */
export function createInputCompiler(): (contract: RouteContract) => InputCheck {
  const strict = createAjv(false)
  const coercing = createAjv('array')
  const nothing: JsonSchema = { type: 'object', additionalProperties: false }
  return (contract) => {
    const headers = contract.headers && lowerCaseNames(contract.headers)
    const checks = [
      { part: 'params', check: coercing.compile(bare(contract.params ?? { type: 'object' })) },
      { part: 'query', check: coercing.compile(bare(contract.query ?? nothing)) },
      ...(headers ? [{ part: 'headers', check: coercing.compile(headers) } as const] : []),
    ] as const
    const checkBody = contract.body ? strict.compile(bare(contract.body)) : undefined
    return (input) => {
      const faults: FieldError[] = []
      for (const { part, check } of checks) {
        runCheck(check, input[part], `/${part}`, faults)
        // Headers cannot carry such text, and only some of them are ours to judge.
        if (part !== 'headers') addUnusable(input[part], `/${part}`, faults)
      }
      checkBodyPart(contract, checkBody, input.body, faults)
      if (faults.length > 0) throw invalidRequest(faults)
    }
  }
}

/** The error for bad input, with one entry for each field. */
export function invalidRequest(faults: readonly FieldError[]): AppError {
  return new AppError('invalid', 'INVALID_REQUEST', 'The request has fields that cannot be used.', {
    errors: faults.slice(0, maxFaults),
  })
}

/** Parses the bytes of a body according to its type; throws problems that name `/body`. */
export function parseBody(bytes: Buffer, bodyType: RouteContract['bodyType']): unknown {
  if (bodyType === 'raw') return bytes
  if (bytes.length === 0) return undefined
  if (!isUtf8(bytes)) throw malformed('The body is not UTF-8 text.')
  const text = bytes.toString('utf8')
  if (bodyType === 'text/csv') return text
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw malformed('The body is not JSON.', cause)
  }
}

function malformed(detail: string, cause?: unknown): AppError {
  const errors = [{ pointer: '/body', detail: 'cannot be parsed' }]
  return new AppError('invalid', 'MALFORMED_JSON', detail, { errors, cause })
}

function checkBodyPart(
  contract: RouteContract,
  check: ValidateFunction | undefined,
  body: unknown,
  faults: FieldError[],
): void {
  if (contract.bodyType === 'raw') return
  // Before the schema, because depth is what could exhaust its recursion.
  if (addUnusable(body, '/body', faults)) return
  if (body === undefined && (check || contract.bodyType !== undefined)) {
    faults.push({ pointer: '/body', detail: 'is missing' })
  } else if (check) {
    runCheck(check, body, '/body', faults)
  } else if (contract.bodyType === undefined && !isEmpty(body)) {
    faults.push({ pointer: '/body', detail: 'is not expected here' })
  }
}

function isEmpty(body: unknown): boolean {
  if (body === undefined) return true
  return typeof body === 'object' && body !== null && Object.keys(body).length === 0
}

function createAjv(coerceTypes: false | 'array'): Ajv2020 {
  const ajv = new Ajv2020({
    allErrors: true,
    coerceTypes,
    useDefaults: true,
    strict: true,
    strictTypes: false,
    strictRequired: false,
    strictTuples: false,
    allowUnionTypes: true,
  })
  // The full forms refuse dates that do not exist, which PostgreSQL would refuse with an error.
  for (const name of ['date', 'date-time', 'time', 'uri', 'email'] as const) {
    ajv.addFormat(name, fullFormats[name])
  }
  ajv.addFormat('uri-reference', fastFormats['uri-reference'])
  // Ours, because the library's takes `urn:uuid:` too, which PostgreSQL does not.
  ajv.addFormat('uuid', isUuid)
  // Annotations of OpenAPI that do not validate.
  ajv.addVocabulary(['example', 'discriminator', 'xml', 'externalDocs'])
  return ajv
}

/** Identities are dropped, since several contracts may inline the same schema. */
function bare(schema: JsonSchema): JsonSchema {
  const { $id: _id, $schema: _dialect, ...rest } = schema
  return rest
}

function lowerCaseNames(schema: JsonSchema): JsonSchema {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, unknown>)
  const required = (schema.required ?? []) as readonly string[]
  return {
    type: 'object',
    properties: Object.fromEntries(properties.map(([name, part]) => [name.toLowerCase(), part])),
    required: required.map((name) => name.toLowerCase()),
  }
}

function runCheck(
  check: ValidateFunction,
  value: unknown,
  prefix: string,
  faults: FieldError[],
): void {
  if (check(value)) return
  for (const error of check.errors ?? []) {
    if (faults.length === maxFaults) return
    const fault = toFault(error, prefix)
    const isRepeated = faults.some(
      (known) => known.pointer === fault.pointer && known.detail === fault.detail,
    )
    if (!isRepeated) faults.push(fault)
  }
}

function toFault(error: ErrorObject, prefix: string): FieldError {
  const { params, keyword } = error
  const at = (name: unknown) =>
    `${prefix}${error.instancePath}/${escapeToken(String(name))}`.slice(0, maxPointerLength)
  if (keyword === 'required' || keyword === 'dependentRequired') {
    return { pointer: at(params.missingProperty), detail: 'is missing' }
  }
  if (keyword === 'additionalProperties') {
    return { pointer: at(params.additionalProperty), detail: 'is not a known field' }
  }
  if (keyword === 'unevaluatedProperties') {
    return { pointer: at(params.unevaluatedProperty), detail: 'is not a known field' }
  }
  if (keyword === 'propertyNames') {
    return { pointer: at(params.propertyName), detail: 'has a name that is not allowed' }
  }
  const pointer = `${prefix}${error.instancePath}`.slice(0, maxPointerLength)
  if (keyword === 'enum') {
    return { pointer, detail: `must be one of ${JSON.stringify(params.allowedValues)}` }
  }
  return { pointer, detail: error.message ?? 'is not valid' }
}

function escapeToken(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

type Unusable = { path: string[]; detail: string }

function addUnusable(value: unknown, prefix: string, faults: FieldError[]): boolean {
  const found = findUnusable(value, 0)
  if (!found) return false
  const pointer = [prefix, ...found.path.map(escapeToken)].join('/').slice(0, maxPointerLength)
  faults.push({ pointer, detail: found.detail })
  return true
}

/** Finds what no schema forbids and no database stores: NUL, lone surrogates, huge numbers. */
function findUnusable(value: unknown, depth: number): Unusable | undefined {
  if (typeof value === 'string') return unusableText(value)
  if (typeof value === 'number') {
    if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return undefined
    return { path: [], detail: 'is too large a number' }
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (depth === maxDepth) return { path: [], detail: 'is nested too deeply' }
  for (const [name, item] of Object.entries(value)) {
    // Copying such a field into another object would change that object's prototype.
    if (name === '__proto__') return { path: [name], detail: 'is not a known field' }
    const fault = unusableText(name) ?? findUnusable(item, depth + 1)
    if (fault) return { path: [name.toWellFormed(), ...fault.path], detail: fault.detail }
  }
  return undefined
}

function unusableText(text: string): Unusable | undefined {
  if (text.includes('\0')) return { path: [], detail: 'must not contain the NUL character' }
  if (!text.isWellFormed()) return { path: [], detail: 'must be well-formed Unicode' }
  return undefined
}
