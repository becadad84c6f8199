import { AppError } from '@halles/kit/errors'
import { isUuid } from '@halles/kit/ids'
import type { CatalogueSort, Position, Sort } from './ports.ts'

/** What the key of a sort is; a list by id has none besides. */
const keys: Record<Sort | CatalogueSort, (key: unknown) => boolean> = {
  newest: (key) => key === '',
  title: (key) => typeof key === 'string' && !key.includes('\0') && key.isWellFormed(),
  updated: (key) => typeof key === 'string' && isTime(key),
  price: Number.isSafeInteger,
  '-price': Number.isSafeInteger,
}

/** An opaque cursor: base64url of the sort and of the last keys of a page. */
export function toCursor(sort: Sort | CatalogueSort, { key, id }: Position): string {
  return encode(sort === 'newest' ? [sort, id] : [sort, id, key])
}

/** @throws invalid `INVALID_CURSOR` when it is not one of ours, or belongs to another sort. */
export function fromCursor(sort: Sort | CatalogueSort, cursor: string): Position {
  const [cursorSort, id, key = ''] = parse(cursor)
  if (cursorSort !== sort || typeof id !== 'string' || !isUuid(id)) throw invalidCursor()
  if (!keys[sort](key)) throw invalidCursor()
  return { key: key as string | number, id }
}

/** The same for lists in the order in which their rows were written. */
export function toNumberCursor(list: string, id: number): string {
  return encode([list, id])
}

/** @throws invalid `INVALID_CURSOR`. */
export function fromNumberCursor(list: string, cursor: string): number {
  const [cursorList, id] = parse(cursor)
  if (cursorList !== list || !Number.isSafeInteger(id)) throw invalidCursor()
  return id as number
}

function encode(parts: readonly unknown[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url')
}

function isTime(text: string): boolean {
  const time = Date.parse(text)
  return Number.isFinite(time) && new Date(time).toISOString() === text
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
