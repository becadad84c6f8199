import type { ParseArgsConfig } from 'node:util'
import { AppError } from '@halles/kit/errors'
import type { ControlRequest } from '../control.ts'
import type { Session } from '../shop-session.ts'

/** What a command was called with: its own words and options, checked for their names only. */
export type Input = {
  readonly words: readonly string[]
  readonly options: Readonly<Record<string, string | boolean | undefined>>
}

export type Context = {
  /** The stack's folder, and the environment that we were called with. */
  dataFolder: string
  env: Readonly<Record<string, string | undefined>>
  /** Signs in at the first call. */
  session(): Promise<Session>
  /** Asks the stack that runs on the data folder. */
  control(request: ControlRequest, onProgress?: (text: string) => void): Promise<unknown>
  /** Writes a result: as text for people, or as JSON with `--json`. */
  show(result: { json: unknown; text: string }): void
  /** Writes a line of a result that has no end, such as a log that is followed. */
  line(text: string): void
  /** Says on standard error how far a long command is. */
  progress(text: string): void
  /** Aborted when the person who asked wants no more. */
  signal: AbortSignal
}

/** One command of `halles`; a file each, listed in commands.ts. */
export type Command = {
  /** Its words, `dead-letters list`. */
  name: string
  summary: string
  /** It acts on the processes of this machine's stack, and signs in nowhere. */
  isLocal?: boolean
  /** The words that it takes after its name: `<id>` is required, `[id]` may be left out, `[id …]` repeated. */
  words: readonly string[]
  options: NonNullable<ParseArgsConfig['options']>
  /** A line per option, and what else there is to know. */
  help: string
  /** What follows the name in an example; `carts=2`. */
  example?: string
  /** Resolves with whether it succeeded. Throws {@link usage} and what the shop refuses. */
  run(input: Input, context: Context): Promise<boolean>
}

/** The options that every command takes. */
export const commonOptions = {
  json: { type: 'boolean' },
  url: { type: 'string' },
  data: { type: 'string' },
  help: { type: 'boolean' },
} as const

/** Something is wrong with how we were called; exits 2. */
export function usage(message: string): AppError {
  return new AppError('invalid', 'USAGE', message)
}

/** The text of an option; undefined when it was not given. */
export function textOf(input: Input, name: string): string | undefined {
  const value = input.options[name]
  return typeof value === 'string' ? value : undefined
}

/** A whole number of an option within bounds; undefined when it was not given. Throws `USAGE`. */
export function numberOf(
  input: Input,
  name: string,
  { min, max }: { min: number; max: number },
): number | undefined {
  const text = textOf(input, name)
  if (text === undefined) return undefined
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw usage(`--${name}: "${text}" is not a number from ${min} to ${max}.`)
}

const unitMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/** The moment that lies a duration such as `90s`, `15m`, `1h` or `2d` before now. Throws `USAGE`. */
export function agoOf(input: Input, name: string, now: Date): Date | undefined {
  const text = textOf(input, name)
  if (text === undefined) return undefined
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count === undefined || unit === undefined) {
    throw usage(`--${name}: "${text}" is not a duration such as 90s, 15m, 1h or 2d.`)
  }
  return new Date(now.getTime() - Number(count) * (unitMs[unit] ?? 0))
}
