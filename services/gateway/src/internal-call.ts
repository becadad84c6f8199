import { AppError, type ErrorKind, errorTable, type Problem } from '@halles/kit/errors'
import { internalAuthorization } from '@halles/kit/internal-secret'
import { currentTrace } from '@halles/kit/trace'
import type { Upstream } from './upstream.ts'

export type InternalCall = {
  /** The operation, from the service's contract. */
  contract: { readonly method: string; readonly path: string }
  body?: unknown
  /** Milliseconds until the head of the answer. */
  deadlineMs: number
  /** Whether it may be sent again after it may have been served. */
  isRepeatable: boolean
  signal: AbortSignal
}

// What services answer here are a few numbers or a problem document.
const maxAnswerBytes = 64 * 1024

/**
 * Calls an internal operation of a service over its upstream, as this gateway itself. Resolves with
 * the parsed body of a 2xx answer, undefined when it has none. Throws what the service's problem
 * document says, and what {@link Upstream} throws.
 */
export async function callInternal(
  upstream: Upstream,
  internalSecret: string,
  { contract, body, deadlineMs, isRepeatable, signal }: InternalCall,
): Promise<unknown> {
  const chunks: Buffer[] = []
  let [size, status] = [0, 0]
  await upstream.send(
    {
      method: contract.method,
      target: contract.path,
      headers: {
        authorization: internalAuthorization(internalSecret),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      trace: currentTrace(),
      body: body === undefined ? null : Buffer.from(JSON.stringify(body)),
      deadlineMs,
      isRepeatable,
      signal,
    },
    {
      onHead(code) {
        status = code
      },
      onData(chunk) {
        size += chunk.length
        chunks.push(chunk)
        return size > maxAnswerBytes
          ? Promise.reject(new Error('The answer is too large.'))
          : undefined
      },
    },
  )
  const text = Buffer.concat(chunks, size).toString('utf8')
  if (status < 200 || status > 299) throw toAppError(upstream.service, status, text)
  return text === '' ? undefined : JSON.parse(text)
}

function toAppError(service: string, status: number, text: string): AppError {
  const kinds = Object.keys(errorTable) as ErrorKind[]
  const kind = kinds.find((each) => errorTable[each].http === status)
  const isFine = kind !== undefined && text.startsWith('{')
  const problem = isFine ? (JSON.parse(text) as Partial<Problem>) : undefined
  if (!kind || !problem?.code)
    return new AppError('internal', 'INTERNAL', answered(service, status))
  const retry = kind === 'unavailable' ? { retryAfterSeconds: 5 } : {}
  return new AppError(kind, problem.code, problem.detail ?? answered(service, status), {
    details: { service },
    ...retry,
  })
}

const answered = (service: string, status: number) => `${service} answered ${status}.`
