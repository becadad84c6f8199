import type { FastifyReply } from 'fastify'
import { AppError, toProblem } from './errors.ts'
import { invalidRequest } from './http-input.ts'

/** Errors of the framework, told by their stable codes, in our words. */
const frameworkErrors: Readonly<Record<string, () => AppError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => bodyTooLarge(),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () => unsupportedMediaType('a known content type'),
  FST_ERR_CTP_INVALID_TYPE: () => unsupportedMediaType('a known content type'),
  FST_ERR_CTP_EMPTY_TYPE: () => unsupportedMediaType('a known content type'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: () =>
    invalidRequest([{ pointer: '/headers/content-length', detail: 'differs from the body' }]),
  FST_ERR_BAD_URL: () => invalidRequest([{ pointer: '/path', detail: 'is not a valid URL path' }]),
}

export function bodyTooLarge(): AppError {
  const errors = [{ pointer: '/body', detail: 'is larger than allowed' }]
  return new AppError('too-large', 'BODY_TOO_LARGE', 'The body is too large.', { errors })
}

export function unsupportedMediaType(expected: string, header = 'content-type'): AppError {
  return new AppError('unsupported-media', 'UNSUPPORTED_MEDIA_TYPE', `Send ${expected}.`, {
    errors: [{ pointer: `/headers/${header}`, detail: `must be ${expected}` }],
  })
}

export function routeNotFound(): AppError {
  return new AppError('not-found', 'ROUTE_NOT_FOUND', 'There is nothing at this path.')
}

export function methodNotAllowed(): AppError {
  return new AppError('not-allowed', 'METHOD_NOT_ALLOWED', 'This path has other methods.')
}

/** An {@link AppError} for anything thrown; undefined when it is a bug of ours. */
export function toKnownError(error: unknown): AppError | undefined {
  if (error instanceof AppError) return error
  if (!(error instanceof Error)) return undefined
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const known = frameworkErrors[code]
  if (known) return known()
  const status = 'statusCode' in error ? Number(error.statusCode) : 500
  if (code.startsWith('FST_') && status >= 400 && status < 500) {
    return new AppError('invalid', 'INVALID_REQUEST', 'The request cannot be read.')
  }
  return undefined
}

/** Writes an error as problem+json with the headers that go with its status. */
export function sendProblem(reply: FastifyReply, error: unknown, traceId: string): FastifyReply {
  const problem = toProblem(error, traceId)
  reply
    .code(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .header('cache-control', 'no-store')
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  if (error instanceof AppError && error.retryAfterSeconds !== undefined) {
    reply.header('retry-after', String(Math.max(1, Math.ceil(error.retryAfterSeconds))))
  }
  return reply.send(JSON.stringify(problem))
}
