import { toError, toOwnError } from './answer.ts'
import { HallesError, ownCodes, temporaryStatuses } from './errors.ts'
import type { AnyInput, Prepared } from './request.ts'
import { type Budget, pause, pauseMs } from './retry.ts'
import type { Session } from './session.ts'

export type Connection = {
  fetch: typeof fetch
  deadlineMs: number
  tries: number
  budget: Budget
  session: Session
}

// A gateway answers within 10 s, or says that it cannot: after that the answer is lost.
const tryLimitMs = 12_000

/**
 * Sends a request until it is answered, as often as it may be sent and as long as there is time.
 * What is read of the answer is read within the time of a try.
 * @throws HallesError for every answer that is no success, and where there is none; the reason of
 *   the signal when that ends the call.
 */
export async function send<T>(
  connection: Connection,
  prepared: Prepared,
  { input, read }: { input: AnyInput; read: (response: Response) => Promise<T> },
): Promise<T> {
  const { budget, session } = connection
  const { signal, tries = connection.tries, deadlineMs = connection.deadlineMs } = input
  const endsAt = performance.now() + deadlineMs
  let token = prepared.route.isPublic ? undefined : (input.token ?? session.token())
  let isRenewed = input.token !== undefined
  budget.deposit()
  for (let count = 1; ; ) {
    const leftMs = endsAt - performance.now()
    if (leftMs <= 0) throw toOwnError(prepared, ownCodes.deadlineExceeded)
    try {
      return await tryOnce(connection, prepared, { token, leftMs, signal, read })
    } catch (error) {
      if (!(error instanceof HallesError)) throw error
      if (error.status === 401 && token !== undefined && !isRenewed) {
        // Refused at the door: nothing was done, so the call goes on with a newer token.
        isRenewed = true
        token = await session.renew(token)
        if (token === undefined) throw error
        continue
      }
      const waitMs = pauseMs(count, error.retryAfterSeconds)
      const isInTime = waitMs < endsAt - performance.now()
      if (!mayRepeat(prepared, error) || count >= tries || !isInTime) throw error
      if (!budget.withdraw()) throw error
      count += 1
      await pause(waitMs, signal)
    }
  }
}

/** A limit is met at the door, where nothing is done yet; the rest may have done something. */
function mayRepeat({ isRepeatable }: Prepared, { status }: HallesError): boolean {
  return status === 429 || (isRepeatable && temporaryStatuses.has(status))
}

type Try<T> = {
  token: string | undefined
  leftMs: number
  signal: AbortSignal | undefined
  read: (response: Response) => Promise<T>
}

async function tryOnce<T>(
  connection: Connection,
  prepared: Prepared,
  { token, leftMs, signal, read }: Try<T>,
): Promise<T> {
  const { url, route, headers, body, isRepeatable } = prepared
  // What may not be sent again gets all the time there is.
  const limitMs = isRepeatable ? tryLimitMs : leftMs
  const time = new AbortController()
  const timer = setTimeout(() => time.abort(), Math.min(limitMs, leftMs))
  try {
    const response = await connection.fetch(url, {
      method: route.method,
      headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      ...(body === undefined ? {} : { body }),
      signal: signal ? AbortSignal.any([signal, time.signal]) : time.signal,
      // The API knows no cookies, and followed a change would become a read.
      credentials: 'omit',
      redirect: 'error',
    })
    if (response.ok || response.status === 304) return await read(response)
    throw await toError(prepared, response)
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    if (error instanceof HallesError) throw error
    const isOver = time.signal.aborted && limitMs >= leftMs
    const code = isOver ? ownCodes.deadlineExceeded : ownCodes.noAnswer
    throw toOwnError(prepared, code, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}
