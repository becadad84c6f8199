import type { Intent } from './shapes/intents.ts'

type ErrorType = 'invalid_request_error' | 'idempotency_error' | 'card_error' | 'api_error'

export type ErrorBody = {
  type: ErrorType
  message: string
  code?: string | undefined
  decline_code?: string | undefined
  param?: string | undefined
  charge?: string | undefined
  payment_intent?: Intent | undefined
}

/** What the API answers instead of a result. */
export class ApiError extends Error {
  readonly status: number
  readonly body: ErrorBody
  /** Whether a repeated idempotency key replays it. */
  readonly isKept: boolean
  readonly headers: { [name: string]: string }

  constructor(
    status: number,
    body: ErrorBody,
    options: { isKept?: boolean; headers?: { [name: string]: string } } = {},
  ) {
    super(body.message)
    this.status = status
    this.body = body
    this.isKept = options.isKept ?? false
    this.headers = options.headers ?? {}
  }
}

type Fields = Partial<Omit<ErrorBody, 'type' | 'message'>>

/** A request that is wrong by itself: nothing was executed, so its idempotency key stays free. */
export function invalid(message: string, fields: Fields = {}): ApiError {
  return new ApiError(400, { type: 'invalid_request_error', message, ...fields })
}

/** A sound request that the object's state refuses. */
export function refused(message: string, fields: Fields = {}): ApiError {
  const body: ErrorBody = { type: 'invalid_request_error', message, ...fields }
  return new ApiError(400, body, { isKept: true })
}

export function missing(kind: string, id: string, param: string, status = 404): ApiError {
  const message = `No such ${kind}: '${id}'`
  return new ApiError(status, {
    type: 'invalid_request_error',
    code: 'resource_missing',
    message,
    param,
  })
}

export function unauthenticated(message: string): ApiError {
  return new ApiError(401, { type: 'invalid_request_error', message })
}

export function toErrorBody(error: ApiError, requestId: string): string {
  const { code } = error.body
  return JSON.stringify({
    error: {
      ...error.body,
      ...(code === undefined
        ? {}
        : { doc_url: `https://stripe.com/docs/error-codes/${code.replaceAll('_', '-')}` }),
      request_log_url: `https://dashboard.stripe.com/test/logs/${requestId}`,
    },
  })
}
