import { AppError } from '../errors.ts'

/** What a broker that is away, or too slow, means to who asked for it. */
export function messagesUnavailable(cause?: unknown): AppError {
  return new AppError(
    'unavailable',
    'MESSAGES_UNAVAILABLE',
    'The message broker cannot be reached at the moment.',
    { retryAfterSeconds: 1, cause },
  )
}

/**
 * Waits for the work no longer than this; then throws `MESSAGES_UNAVAILABLE`. The work itself goes
 * on, and what becomes of it is nobody's concern any more.
 */
export async function withDeadline<T>(work: Promise<T>, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    const onTimeout = () => reject(messagesUnavailable(new Error('The broker did not answer.')))
    timer = setTimeout(onTimeout, deadlineMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
