import { AppError } from '@halles/kit/errors'
import { isUuid } from '@halles/kit/ids'
import type { Position, Sort } from './ports.ts'

/** An opaque cursor: base64url of the sort and of the last keys of a page. */
export function toCursor(sort: Sort, { key, id }: Position): string {
  return Buffer.from(JSON.stringify(sort === 'newest' ? [sort, id] : [sort, id, key])).toString(
    'base64url',
  )
}

/** @throws invalid `INVALID_CURSOR` when it is not one of ours, or belongs to another sort. */
export function fromCursor(sort: Sort, cursor: string): Position {
  const [cursorSort, id, key = ''] = parse(cursor)
  const isPrice = sort === 'price' || sort === '-price'
  const isKey = isPrice ? Number.isSafeInteger(key) : typeof key === 'string'
  const isNewest = sort === 'newest' && key === ''
  if (cursorSort !== sort || typeof id !== 'string' || !isUuid(id)) throw invalidCursor()
  if (!isKey && !isNewest) throw invalidCursor()
  if (typeof key !== 'string' && typeof key !== 'number') throw invalidCursor()
  if (typeof key === 'string' && (key.includes('\0') || !key.isWellFormed())) throw invalidCursor()
  return { key, id }
}

function parse(cursor: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
    if (Array.isArray(parts) && (parts.length === 2 || parts.length === 3)) return parts
  } catch (cause) {
    throw invalidCursor(cause)
  }
  throw invalidCursor()
}

function invalidCursor(cause?: unknown): AppError {
  return new AppError('invalid', 'INVALID_CURSOR', 'The cursor is not one of this list.', {
    errors: [{ pointer: '/query/cursor', detail: 'is not a cursor of this list and sort' }],
    cause,
  })
}
