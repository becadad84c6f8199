import { isDeepStrictEqual } from 'node:util'

export type JsonSchema = { readonly [keyword: string]: unknown }

/** One place where a schema differs from the published one in a way that a reader may not bear. */
export type Difference = { pointer: string; detail: string }

// They say something to people and decide nothing. `$comment` is none of them: at the root it says
// where a message is sent and what orders it.
const annotations = new Set(['title', 'description', 'examples', 'deprecated'])
// Walked into; every other keyword has to stay as it is.
const walked = new Set(['properties', 'required', 'items', 'contentSchema', 'anyOf', 'allOf'])

/**
 * How a schema breaks with the published one: readers of either must accept the messages of both,
 * for a topic holds old messages and an old reader outlives a release. A new optional member is
 * allowed, since readers ignore members that they do not know, and so are other words for people.
 */
export function compareSchemas(
  published: JsonSchema,
  current: JsonSchema,
  pointer = '',
): Difference[] {
  return [
    ...compareKeywords(published, current, pointer),
    ...compareMembers(published, current, pointer),
    ...['items', 'contentSchema'].flatMap((keyword) => {
      const [before, after] = [published[keyword], current[keyword]]
      if (isSchema(before) && isSchema(after)) {
        return compareSchemas(before, after, `${pointer}/${keyword}`)
      }
      return changed(before, after, `${pointer}/${keyword}`)
    }),
    ...['anyOf', 'allOf'].flatMap((keyword) => {
      const [before, after] = [published[keyword], current[keyword]]
      if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
        return before.flatMap((each: JsonSchema, index) =>
          compareSchemas(each, after[index] as JsonSchema, `${pointer}/${keyword}/${index}`),
        )
      }
      return changed(before, after, `${pointer}/${keyword}`)
    }),
  ]
}

function compareKeywords(before: JsonSchema, after: JsonSchema, pointer: string): Difference[] {
  const keywords = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keywords]
    .filter((keyword) => !annotations.has(keyword) && !walked.has(keyword))
    .flatMap((keyword) =>
      changed(unordered(before[keyword]), unordered(after[keyword]), `${pointer}/${keyword}`),
    )
}

function compareMembers(before: JsonSchema, after: JsonSchema, pointer: string): Difference[] {
  const [known, next] = [membersOf(before), membersOf(after)]
  const [needed, nextNeeded] = [requiredOf(before), requiredOf(after)]
  const kept = Object.entries(known).flatMap(([name, schema]) => {
    const place = `${pointer}/properties/${toPointer(name)}`
    const counterpart = next[name]
    if (!counterpart) return [{ pointer: place, detail: 'was removed' }]
    const differences = compareSchemas(schema, counterpart, place)
    if (needed.has(name) === nextNeeded.has(name)) return differences
    const detail = needed.has(name)
      ? 'was required and is optional now'
      : 'was optional and is required now'
    return [{ pointer: place, detail }, ...differences]
  })
  const added = Object.keys(next)
    .filter((name) => !(name in known) && nextNeeded.has(name))
    .map((name) => ({
      pointer: `${pointer}/properties/${toPointer(name)}`,
      detail: 'is new and required',
    }))
  const unnamed = [...new Set([...needed, ...nextNeeded])]
    .filter((name) => !(name in known) && !(name in next))
    .filter((name) => needed.has(name) !== nextNeeded.has(name))
    .map((name) => ({
      pointer: `${pointer}/required`,
      detail: `differs in “${name}”, which is no member`,
    }))
  return [...kept, ...added, ...unnamed]
}

function changed(before: unknown, after: unknown, pointer: string): Difference[] {
  if (isDeepStrictEqual(before, after)) return []
  const [was, is] = [before, after].map((value) => JSON.stringify(value) ?? 'not there')
  return [{ pointer, detail: `was ${was} and is ${is} now` }]
}

/** The order of `type` and `enum` means nothing. */
function unordered(value: unknown): unknown {
  if (!Array.isArray(value)) return value
  return value.map((each) => JSON.stringify(each)).sort()
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The members that a schema names. */
export function membersOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return (schema.properties ?? {}) as Record<string, JsonSchema>
}

/** The names of the members that must be there. */
export function requiredOf(schema: JsonSchema): ReadonlySet<string> {
  return new Set((schema.required ?? []) as string[])
}

function toPointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
