import { HallesError, ownCodes } from './errors.ts'
import type { Problem } from './gen/operations.ts'
import type { AnyInput, Prepared } from './request.ts'
import { parseRetryAfter } from './retry.ts'

/** What a successful call brings. */
export type Answer<Data> = {
  data: Data
  status: number
  /** The version that was read: `ifMatch` of a change, or this whole answer as `known`. */
  etag: string | undefined
  /** The server says that `known` is still good; `data` is its data. */
  isUnchanged: boolean
  /** From a cache, because who knows better does not answer. */
  isStale: boolean
}

/** The answer in an HTTP response. @throws HallesError `UNKNOWN_ANSWER`. */
export async function readAnswer(
  response: Response,
  prepared: Prepared,
  { known }: AnyInput,
): Promise<Answer<unknown>> {
  const { status, headers } = response
  const isUnchanged = status === 304 && known !== undefined
  return {
    data: isUnchanged ? (known as Answer<unknown>).data : await readData(response, prepared),
    status,
    etag: headers.get('etag') ?? (isUnchanged ? known.etag : undefined),
    isUnchanged,
    isStale: /\bstale-if-error\b/.test(headers.get('cache-status') ?? ''),
  }
}

async function readData(response: Response, prepared: Prepared): Promise<unknown> {
  if (prepared.route.answer === 'bytes') return new Uint8Array(await response.arrayBuffer())
  const text = await response.text()
  if (text === '') return undefined
  const value = parseJson(text, response.headers)
  if (value === undefined) throw unknownAnswer(prepared, response)
  return value
}

/** What an answer that is no success says. */
export async function toError(prepared: Prepared, response: Response): Promise<HallesError> {
  const problem = parseJson(await response.text(), response.headers)
  if (!isProblem(problem)) return unknownAnswer(prepared, response)
  const { code, detail, errors, traceId } = problem
  return new HallesError({
    operation: prepared.operation,
    ...{ code, detail, traceId, fields: errors },
    status: response.status,
    retryAfterSeconds: parseRetryAfter(response.headers.get('retry-after')),
    idempotencyKey: prepared.idempotencyKey,
    problem,
  })
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'code' in value
}

function parseJson(text: string, headers: Headers): unknown {
  if (!/[/+]json\b/.test(headers.get('content-type') ?? '')) return undefined
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function unknownAnswer(prepared: Prepared, { status, headers }: Response): HallesError {
  return toOwnError(prepared, ownCodes.unknownAnswer, {
    status,
    retryAfterSeconds: parseRetryAfter(headers.get('retry-after')),
  })
}

const details: Readonly<Record<string, string>> = {
  [ownCodes.noAnswer]: 'Nobody answered.',
  [ownCodes.deadlineExceeded]: 'The time for this call is over.',
  [ownCodes.unknownAnswer]: 'What answered does not speak as Halles does.',
}

/** An error that the server has not worded. */
export function toOwnError(
  { operation, idempotencyKey }: Prepared,
  code: string,
  facts: { status?: number; retryAfterSeconds?: number | undefined; cause?: unknown } = {},
): HallesError {
  const detail = details[code] ?? ''
  return new HallesError({ status: 0, ...facts, operation, code, detail, idempotencyKey })
}
