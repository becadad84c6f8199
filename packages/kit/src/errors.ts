/** What went wrong, in transport-neutral words. Each kind maps to one row of {@link errorTable}. */
export type ErrorKind = keyof typeof errorTable

/**
 * One table for three transports: the HTTP status, the gRPC status (google.rpc.Code) and what a
 * message consumer does with the message.
 */
export const errorTable = {
  invalid: { http: 400, grpc: 3, consumer: 'dead-letter' },
  unauthenticated: { http: 401, grpc: 16, consumer: 'dead-letter' },
  forbidden: { http: 403, grpc: 7, consumer: 'dead-letter' },
  'not-found': { http: 404, grpc: 5, consumer: 'dead-letter' },
  'not-allowed': { http: 405, grpc: 12, consumer: 'dead-letter' },
  conflict: { http: 409, grpc: 9, consumer: 'dead-letter' },
  'precondition-failed': { http: 412, grpc: 9, consumer: 'dead-letter' },
  'too-large': { http: 413, grpc: 11, consumer: 'dead-letter' },
  'unsupported-media': { http: 415, grpc: 3, consumer: 'dead-letter' },
  unprocessable: { http: 422, grpc: 9, consumer: 'dead-letter' },
  'precondition-required': { http: 428, grpc: 9, consumer: 'dead-letter' },
  'too-many': { http: 429, grpc: 8, consumer: 'retry' },
  internal: { http: 500, grpc: 13, consumer: 'retry' },
  unavailable: { http: 503, grpc: 14, consumer: 'retry' },
  timeout: { http: 504, grpc: 4, consumer: 'retry' },
} as const satisfies Record<
  string,
  { http: number; grpc: number; consumer: 'retry' | 'dead-letter' }
>

/** One fault in an input: an RFC 6901 pointer to the field and what is wrong with it. */
export type FieldError = { pointer: string; detail: string }

export type AppErrorOptions = {
  /** Faults by field, for answers to bad input. */
  errors?: readonly FieldError[]
  /** Extra members of the problem document. Never secrets or personal data. */
  details?: Readonly<Record<string, unknown>>
  /** Seconds after which a retry makes sense; becomes `Retry-After`. */
  retryAfterSeconds?: number
  cause?: unknown
}

/**
 * The only error that crosses a room. `code` is UPPER_SNAKE, unique in the platform and listed in
 * the service's README; `message` is a sentence that may be shown to the caller.
 */
export class AppError extends Error {
  readonly kind: ErrorKind
  readonly code: string
  readonly errors: readonly FieldError[]
  readonly details: Readonly<Record<string, unknown>>
  readonly retryAfterSeconds: number | undefined

  constructor(kind: ErrorKind, code: string, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.kind = kind
    this.code = code
    this.errors = options.errors ?? []
    this.details = options.details ?? {}
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** RFC 9457 problem details, with our stable `code` and the trace to quote to support. */
export type Problem = {
  type: string
  title: string
  status: number
  code: string
  detail: string
  traceId?: string
  errors?: readonly FieldError[]
  [member: string]: unknown
}

const bug = new AppError('internal', 'INTERNAL', 'Something went wrong on our side.')

/**
 * Shapes any thrown value as an RFC 9457 problem document.
 * An {@link AppError} keeps its code and sentence; everything else is a bug and says nothing.
 */
export function toProblem(error: unknown, traceId?: string): Problem {
  const known = error instanceof AppError ? error : bug
  return {
    ...known.details,
    type: `urn:halles:problem:${known.code.toLowerCase().replaceAll('_', '-')}`,
    title: known.kind.replaceAll('-', ' '),
    status: errorTable[known.kind].http,
    code: known.code,
    detail: known.message,
    ...(traceId === undefined ? {} : { traceId }),
    ...(known.errors.length > 0 ? { errors: known.errors } : {}),
  }
}
