/** A field that the server refused, by JSON pointer: `/body/email`. */
export type FieldProblem = { pointer: string; detail: string }

export type HallesErrorFacts = {
  operation: string
  code: string
  /** 0 where there was no answer. */
  status: number
  detail: string
  fields?: readonly FieldProblem[] | undefined
  traceId?: string | undefined
  retryAfterSeconds?: number | undefined
  idempotencyKey?: string | undefined
  problem?: Readonly<Record<string, unknown>> | undefined
  cause?: unknown
}

/**
 * What became of a call that did not succeed. `code` is the stable word for it: the one of the
 * server's problem document (RFC 9457), or one of {@link ownCodes}.
 */
export class HallesError extends Error {
  override readonly name = 'HallesError'
  readonly operation: string
  readonly code: string
  readonly status: number
  readonly fields: readonly FieldProblem[]
  /** What the server's logs and traces know the call by. */
  readonly traceId: string | undefined
  readonly retryAfterSeconds: number | undefined
  /** Sent again with the same input, it repeats the call instead of doing it twice. */
  readonly idempotencyKey: string | undefined
  /** The whole problem document, with the members that only this code has. */
  readonly problem: Readonly<Record<string, unknown>>

  constructor(facts: HallesErrorFacts) {
    super(`${facts.operation}: ${facts.code}: ${facts.detail}`, { cause: facts.cause })
    this.operation = facts.operation
    this.code = facts.code
    this.status = facts.status
    this.fields = facts.fields ?? []
    this.traceId = facts.traceId
    this.retryAfterSeconds = facts.retryAfterSeconds
    this.idempotencyKey = facts.idempotencyKey
    this.problem = facts.problem ?? {}
  }
}

/** Codes of the client's own: there was no answer, or none that it can read. */
export const ownCodes = {
  /** Nobody answered, or the connection broke: what changes something may have happened. */
  noAnswer: 'NO_ANSWER',
  /** The time that the call was given is over: what changes something may have happened. */
  deadlineExceeded: 'DEADLINE_EXCEEDED',
  /** What answered does not speak as Halles does: a proxy, or another server. */
  unknownAnswer: 'UNKNOWN_ANSWER',
} as const

/**
 * Whether it is an error of a call, and with one of the codes when some are given:
 * `isHallesError(error, 'PRICE_CHANGED', 'OUT_OF_STOCK')`.
 */
export function isHallesError<Code extends string = string>(
  error: unknown,
  ...codes: readonly Code[]
): error is HallesError & { readonly code: Code } {
  if (!(error instanceof HallesError)) return false
  return codes.length === 0 || codes.some((code) => code === error.code)
}

/** Whether the call may well succeed later: somebody is away or busy, or there was no answer. */
export function isTemporary(error: unknown): error is HallesError {
  return error instanceof HallesError && temporaryStatuses.has(error.status)
}

/** 0: no answer. */
export const temporaryStatuses: ReadonlySet<number> = new Set([0, 429, 502, 503, 504])
