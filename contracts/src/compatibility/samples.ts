import { type JsonSchema, membersOf, requiredOf } from './compare.ts'

const byFormat: Readonly<Record<string, readonly string[]>> = {
  uuid: ['019a0000-0000-7000-8000-000000000000', 'ffffffff-ffff-4fff-bfff-ffffffffffff'],
  email: ['a@b.fr', 'ana.lima+shop@example.org'],
  'date-time': ['1970-01-01T00:00:00.000Z', '2099-12-31T23:59:59+14:00'],
  date: ['1970-01-01', '2099-12-31'],
  uri: ['https://halles.example/a?b=c#d'],
}

// Tried on every pattern; a schema whose pattern fits none of them brings its own `examples`.
const texts = [
  'EUR',
  'FR',
  'é',
  'a',
  'a-b',
  '0',
  '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA',
  'e30..AAAA.AAAA.AAAA',
]

// Enough to see that nothing bounds a text.
const longText = 1_000

/**
 * Values that follow the schema, from one edge of it to the other: the least and the most of every
 * limit, every word of an enum, with and without each optional member. Always the same ones, and
 * their number grows with the sum of the members, not with the product. Throws for a pattern that
 * nothing known fits.
 */
export function samplesOf(schema: JsonSchema): unknown[] {
  if (schema.const !== undefined) return [schema.const]
  if (Array.isArray(schema.enum)) return [...schema.enum]
  if (Array.isArray(schema.anyOf)) return schema.anyOf.flatMap((each) => samplesOf(each))
  const types = Array.isArray(schema.type) ? schema.type : [schema.type]
  return types.flatMap((type) => samplesOfType(type, schema))
}

function samplesOfType(type: unknown, schema: JsonSchema): unknown[] {
  switch (type) {
    case 'object':
      return sampleObjects(schema)
    case 'array':
      return sampleArrays(schema)
    case 'string':
      return sampleTexts(schema)
    case 'integer':
      return sampleNumbers(schema)
    case 'number':
      return [...sampleNumbers(schema), 0.5].filter((value) => isWithin(schema, value))
    case 'boolean':
      return [true, false]
    case 'null':
      return [null]
    default:
      throw new Error(`Samples cannot be made of ${JSON.stringify(schema)}.`)
  }
}

function sampleObjects(schema: JsonSchema): unknown[] {
  const members = Object.entries(membersOf(schema)).map(
    ([name, member]) => [name, samplesOf(member)] as const,
  )
  const whole = Object.fromEntries(members.map(([name, values]) => [name, values[0]]))
  const required = requiredOf(schema)
  const least = Object.fromEntries(Object.entries(whole).filter(([name]) => required.has(name)))
  const varied = members.flatMap(([name, values]) =>
    values.slice(1).map((value) => ({ ...whole, [name]: value })),
  )
  return [whole, least, ...varied]
}

function sampleArrays(schema: JsonSchema): unknown[] {
  const items = samplesOf((schema.items ?? { type: 'null' }) as JsonSchema)
  const { minItems = 0, maxItems = items.length } = schema as Record<string, number>
  const some = (length: number) => Array.from({ length }, (_, index) => items[index % items.length])
  const least = some(minItems)
  const all = some(Math.max(minItems, Math.min(maxItems, items.length)))
  return [all, least, ...(maxItems > all.length ? [some(maxItems)] : [])]
}

function sampleTexts(schema: JsonSchema): unknown[] {
  const { minLength = 0, maxLength = longText } = schema as Record<string, number>
  const { format, pattern, examples = [] } = schema
  const known = byFormat[String(format)]
  if (format !== undefined && !known) throw new Error(`No sample of the format ${format} is known.`)
  const edges = [minLength, maxLength].map((length) => 'a'.repeat(length))
  const prolonged = texts.map((text) => text.padEnd(maxLength, 'a'))
  const matcher = new RegExp(String(pattern ?? ''), 'u')
  const fitting = [...(examples as string[]), ...(known ?? [...texts, ...edges, ...prolonged])]
    .filter((text) => [...text].length >= minLength && [...text].length <= maxLength)
    .filter((text) => matcher.test(text))
  if (fitting.length === 0) {
    throw new Error(`No sample of ${JSON.stringify(schema)} is known: give it \`examples\`.`)
  }
  return [...new Set(fitting)]
}

function sampleNumbers(schema: JsonSchema): number[] {
  const { minimum = -Number.MAX_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } =
    schema as Record<string, number>
  const values = [minimum, maximum, 0, 1, -1, 2 ** 31].filter((value) => isWithin(schema, value))
  return [...new Set(values)]
}

function isWithin(schema: JsonSchema, value: number): boolean {
  const { minimum = -Infinity, maximum = Infinity } = schema as Record<string, number>
  const {
    exclusiveMinimum = -Infinity,
    exclusiveMaximum = Infinity,
    multipleOf = 0,
  } = schema as Record<string, number>
  return (
    value >= minimum &&
    value <= maximum &&
    value > exclusiveMinimum &&
    value < exclusiveMaximum &&
    (multipleOf === 0 || value % multipleOf === 0)
  )
}
