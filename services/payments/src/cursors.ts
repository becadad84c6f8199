import { AppError } from '@halles/kit/errors'
import type { Position } from './ports.ts'
import type { Progress } from './use-cases/reconcile.ts'

/** An opaque cursor after an item of a list by time. */
export function toCursor({ at, id }: Position): string {
  return encode([at.toISOString(), id])
}

/** @throws invalid `INVALID_REQUEST`. */
export function fromCursor(cursor: string | undefined): Position | null {
  if (cursor === undefined) return null
  const [at, id, ...more] = decode(cursor, '/query/cursor')
  const moment = parseMoment(at)
  if (!moment || !id || more.length > 0) throw notACursor('/query/cursor')
  return { at: moment, id }
}

export function toProgressCursor({ pass, after, startedAt }: Progress): string {
  return encode([pass, startedAt.toISOString(), after ?? ''])
}

/** @throws invalid `INVALID_REQUEST`. */
export function fromProgressCursor(cursor: string | undefined): Progress | null {
  if (cursor === undefined) return null
  const [pass, at, after = '', ...more] = decode(cursor, '/body/cursor')
  const startedAt = parseMoment(at)
  const isPass = pass === 'missed' || pass === 'listed' || pass === 'ours'
  if (!startedAt || more.length > 0 || !isPass) {
    throw notACursor('/body/cursor')
  }
  return { pass, startedAt, after: after === '' ? null : after }
}

function parseMoment(text: string | undefined): Date | null {
  const moment = new Date(text ?? '')
  return Number.isNaN(moment.getTime()) ? null : moment
}

function encode(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

function decode(cursor: string, pointer: string): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (Array.isArray(parts) && parts.every((part) => isStorable(part))) return parts
  } catch (cause) {
    throw notACursor(pointer, cause)
  }
  throw notACursor(pointer)
}

/** PostgreSQL takes no NUL, and no half of a surrogate pair. */
function isStorable(part: unknown): part is string {
  return typeof part === 'string' && part.isWellFormed() && !part.includes('\0')
}

function notACursor(pointer: string, cause?: unknown): AppError {
  return new AppError('invalid', 'INVALID_REQUEST', 'The request has fields that cannot be used.', {
    errors: [{ pointer, detail: 'is not a cursor of this list' }],
    cause,
  })
}
