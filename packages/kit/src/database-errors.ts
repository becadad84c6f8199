import pg from 'pg'
import { AppError } from './errors.ts'

/** Whether a statement failed on a unique index, and on that one when `constraint` is given. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  return (
    error instanceof pg.DatabaseError &&
    error.code === '23505' &&
    (constraint === undefined || error.constraint === constraint)
  )
}

// Classes and codes of https://www.postgresql.org/docs/18/errcodes-appendix.html.
const conflictCodes = new Set(['40001', '40P01'])
const timeoutCodes = new Set(['57014', '55P03', '25P03', '25P04'])
const lostCodes = new Set(['57P01', '57P02', '57P03', '57P05'])
const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENOENT',
])
// node-postgres gives these no code.
const lostMessages =
  /^(Connection terminated|Client was closed|Client has encountered a connection error|timeout exceeded when trying to connect|timeout expired)/
const retryAfterSeconds = 1

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : ''
}

/**
 * Turns what node-postgres throws into an {@link AppError} where the database is at fault:
 * `DATABASE_UNAVAILABLE`, `DATABASE_TIMEOUT` or `DATABASE_CONTENTION`, all of kind `unavailable`.
 * Anything else, a constraint or a wrong type among them, is returned as it is.
 */
export function toDatabaseError(error: unknown): unknown {
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : ''
  const options = { retryAfterSeconds, cause: error }
  if (timeoutCodes.has(code) || message === 'Query read timeout') {
    return new AppError(
      'unavailable',
      'DATABASE_TIMEOUT',
      'The database took too long to answer.',
      options,
    )
  }
  if (conflictCodes.has(code)) {
    return new AppError(
      'unavailable',
      'DATABASE_CONTENTION',
      'Too many changes of the same data at once.',
      options,
    )
  }
  const isDatabaseError = error instanceof pg.DatabaseError
  const isLost = isDatabaseError
    ? lostCodes.has(code) || code.startsWith('08') || code.startsWith('53')
    : socketCodes.has(code) || lostMessages.test(message)
  if (!isLost) return error
  return new AppError(
    'unavailable',
    'DATABASE_UNAVAILABLE',
    'The database cannot be reached at the moment.',
    options,
  )
}
