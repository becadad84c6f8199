type ErrorType = 'invalid_request_error' | 'idempotency_error' | 'card_error' | 'api_error'

type ErrorBody = {
  type: ErrorType
  message: string
  code?: string | undefined
  param?: string | undefined
}

/** What the API answers instead of a result; `isKept` when a repeated idempotency key replays it. */
export class ApiError extends Error {
  readonly status: number
  readonly body: ErrorBody
  readonly isKept: boolean

  constructor(status: number, body: ErrorBody, isKept = false) {
    super(body.message)
    this.status = status
    this.body = body
    this.isKept = isKept
  }
}

/** A request that is wrong by itself: nothing was executed, so its idempotency key stays free. */
export function invalid(message: string, fields: { code?: string; param?: string } = {}): ApiError {
  return new ApiError(400, { type: 'invalid_request_error', message, ...fields })
}

/** A sound request that the object's state refuses. */
export function refused(message: string, fields: { code?: string; param?: string } = {}): ApiError {
  return new ApiError(400, { type: 'invalid_request_error', message, ...fields }, true)
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
      ...(code === undefined ? {} : { doc_url: `https://stripe.com/docs/error-codes/${code}` }),
      request_log_url: `https://dashboard.stripe.com/test/logs/${requestId}`,
    },
  })
}
