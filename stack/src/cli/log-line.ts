import { printable } from './table.ts'

export type LogLine = {
  part: string
  /** ISO 8601, UTC; of the line before where it has none. */
  time: string
  raw: string
}

// PostgreSQL's own lines.
const stamp = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3}) UTC/

/** A line of a part's log: JSON of ours, or what a server of others writes. */
export function parseLine(part: string, raw: string, otherwise: string): LogLine {
  const [, day, hour] = stamp.exec(raw) ?? []
  const time = toFields(raw)?.time ?? (day && `${day}T${hour}Z`)
  return { part, raw, time: typeof time === 'string' ? time : otherwise }
}

const shownFirst = ['time', 'level', 'service', 'instance', 'message']

/** A line for people: time, level, instance, message, and what else it has. */
export function toText({ part, raw }: LogLine): string {
  const fields = toFields(raw)
  if (!fields) return printable(`${part}  ${raw}`)
  const { time, level, instance, message } = fields
  const head = [String(time ?? '').slice(11, 23), String(level ?? '').padEnd(5), instance ?? part]
  const rest = Object.entries(fields)
    .filter(([name]) => !shownFirst.includes(name))
    .map(([name, value]) => `${name}=${describe(value)}`)
  return printable([...head, message ?? '', ...rest].join('  ')).replaceAll('\n', ' ')
}

function describe(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  // Of an error, its code and words; where it was thrown is for --json.
  const { code, message } = value as { code?: unknown; message?: unknown }
  return message === undefined ? JSON.stringify(value) : [code, message].filter(Boolean).join(': ')
}

function toFields(raw: string): Record<string, unknown> | undefined {
  if (!raw.startsWith('{')) return undefined
  try {
    return JSON.parse(raw) as Record<string, unknown>
  } catch (error) {
    // Cut off where the file was begun anew.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
