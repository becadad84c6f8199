import { invalid } from './errors.ts'

export type FormValue = string | FormObject
/** Nested parameters; arrays are objects with their indices as keys, in the order received. */
export type FormObject = { [name: string]: FormValue }

// A session of 100 lines with 50 metadata keys each stays far below these.
const maxPairs = 10_000
const maxDepth = 8

/** Parses `a[b][0]=c&d[]=e`, the way in which Stripe's clients write nested parameters. */
export function parseForm(text: string): FormObject {
  const root = emptyObject()
  if (text === '') return root
  const pairs = text.split('&')
  if (pairs.length > maxPairs) throw invalid('The request has too many parameters.')
  for (const pair of pairs) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    assign(root, toPath(name), equals < 0 ? '' : decode(pair.slice(equals + 1)))
  }
  return root
}

function emptyObject(): FormObject {
  return Object.create(null) as FormObject
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch (error) {
    if (error instanceof URIError) throw invalid('The request holds a malformed %-escape.')
    throw error
  }
}

function toPath(name: string): string[] {
  const bracket = name.indexOf('[')
  if (bracket < 0) return [name]
  if (bracket === 0 || !name.endsWith(']')) throw invalid(`Invalid parameter name: ${name}`)
  const path = [name.slice(0, bracket), ...name.slice(bracket + 1, -1).split('][')]
  if (path.length > maxDepth) throw invalid(`Parameters are nested too deeply: ${name}`)
  return path
}

function assign(root: FormObject, path: readonly string[], value: string): void {
  let object = root
  for (const [depth, part] of path.entries()) {
    const name = part === '' ? String(Object.keys(object).length) : part
    const present = object[name]
    if (depth === path.length - 1) {
      if (typeof present === 'object') throw invalid(`Invalid parameter: ${name}`)
      object[name] = value
    } else if (present === undefined) {
      const child = emptyObject()
      object[name] = child
      object = child
    } else if (typeof present === 'object') {
      object = present
    } else {
      throw invalid(`Invalid parameter: ${name}`)
    }
  }
}
