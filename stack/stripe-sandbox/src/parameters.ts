import { invalid } from './errors.ts'
import type { FormObject } from './form.ts'

export type Metadata = { [name: string]: string }

export type Parameters = {
  /** A text that is not empty. */
  text(name: string, options?: { maxLength?: number }): string | undefined
  isText(name: string): boolean
  /** The value read, or the refusal of its absence. */
  required<T>(name: string, value: T | undefined): T
  integer(name: string, limits: { min: number; max: number }): number | undefined
  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined
  group(name: string): FormObject | undefined
  metadata(name?: string): Metadata
  nested(name: string): Parameters
  list(name: string): Parameters[]
  texts(name: string): string[]
  /** Refuses what was never read. */
  finish(): void
}

/**
 * Reads parameters by name, with Stripe's own refusals; `finish` refuses whatever was never read,
 * because Stripe refuses unknown parameters too.
 */
export function readParameters(form: FormObject, path = ''): Parameters {
  const known = new Set<string>()
  const nameOf = (name: string) => (path === '' ? name : `${path}[${name}]`)

  function text(name: string, options: { maxLength?: number } = {}): string | undefined {
    known.add(name)
    const value = form[name]
    const param = nameOf(name)
    if (value === undefined) return undefined
    if (typeof value !== 'string') throw invalid(`Invalid string: ${param}`, { param })
    if (value === '') {
      const message = `You passed an empty string for '${param}'. We assume empty values are an attempt to unset a parameter; however '${param}' cannot be unset. You should remove '${param}' from your request or supply a non-empty value.`
      throw invalid(message, { code: 'parameter_invalid_empty', param })
    }
    const { maxLength = 5000 } = options
    if (value.length > maxLength) {
      throw invalid(`Invalid string: must be at most ${maxLength} characters`, { param })
    }
    return value
  }

  function required<T>(name: string, value: T | undefined): T {
    if (value !== undefined) return value
    const param = nameOf(name)
    throw invalid(`Missing required param: ${param}.`, { code: 'parameter_missing', param })
  }

  function integer(name: string, limits: { min: number; max: number }): number | undefined {
    const value = text(name)
    if (value === undefined) return undefined
    const param = nameOf(name)
    const number = Number(value)
    if (!/^-?\d{1,15}$/.test(value)) {
      throw invalid(`Invalid integer: ${value}`, { code: 'parameter_invalid_integer', param })
    }
    if (number < limits.min) {
      const message = `This value must be greater than or equal to ${limits.min}.`
      throw invalid(message, { code: 'parameter_invalid_integer', param })
    }
    if (number > limits.max) {
      const message = `This value must be less than or equal to ${limits.max}.`
      throw invalid(message, { code: 'parameter_invalid_integer', param })
    }
    return number
  }

  function oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = text(name)
    if (value === undefined) return undefined
    const match = values.find((each) => each === value)
    if (match !== undefined) return match
    const message = `Invalid ${nameOf(name)}: must be one of ${values.join(', ')}`
    throw invalid(message, { param: nameOf(name) })
  }

  function group(name: string): FormObject | undefined {
    known.add(name)
    const value = form[name]
    if (typeof value !== 'string') return value
    if (value === '') return undefined
    throw invalid(`Invalid object`, { param: nameOf(name) })
  }

  function metadata(name = 'metadata'): Metadata {
    const entries = Object.entries(group(name) ?? {})
    const param = nameOf(name)
    if (entries.length > 50) throw invalid('Metadata can have up to 50 keys.', { param })
    const result: Metadata = {}
    for (const [key, value] of entries) {
      const isFit = typeof value === 'string' && key.length <= 40 && value.length <= 500
      if (!isFit) {
        const message = 'Metadata keys can have up to 40 characters and values up to 500.'
        throw invalid(message, { param: `${param}[${key}]` })
      }
      if (value !== '') result[key] = value
    }
    return result
  }

  return {
    text,
    required,
    integer,
    oneOf,
    group,
    metadata,
    isText: (name: string): boolean => typeof form[name] === 'string',
    nested: (name: string) => readParameters(group(name) ?? {}, nameOf(name)),
    list: (name: string): Parameters[] =>
      Object.entries(group(name) ?? {}).map(([index, value]) => {
        if (typeof value === 'object') return readParameters(value, `${nameOf(name)}[${index}]`)
        throw invalid('Invalid object', { param: `${nameOf(name)}[${index}]` })
      }),
    texts: (name: string): string[] =>
      Object.values(group(name) ?? {}).filter((value) => typeof value === 'string'),
    finish(): void {
      for (const name of Object.keys(form)) {
        if (known.has(name)) continue
        const param = nameOf(name)
        const message = `Received unknown parameter: ${param}`
        throw invalid(message, { code: 'parameter_unknown', param })
      }
    },
  }
}
