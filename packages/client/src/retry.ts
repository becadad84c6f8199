/** How many repetitions a client may make, over all its calls. */
export type Budget = { deposit(): void; withdraw(): boolean }

// A share of the calls, with some for quiet times: while the shop is down, many clients that repeat
// everything would keep it down.
const perCall = 0.2
const most = 10

export function createBudget(): Budget {
  let tokens = most
  return {
    deposit() {
      tokens = Math.min(most, tokens + perCall)
    },
    withdraw() {
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}

// An instance that restarts is back within a second or two; nobody looks at a page for longer than
// a few pauses of the second number.
const baseMs = 200
const longestMs = 5_000

/**
 * How long to wait before the next try: at least what the server asked for, otherwise longer each
 * time; with chance in it, so that many clients do not return at the same moment.
 */
export function pauseMs(tries: number, retryAfterSeconds: number | undefined): number {
  const backoff = Math.random() * Math.min(longestMs, baseMs * 2 ** (tries - 1))
  return retryAfterSeconds === undefined ? backoff : retryAfterSeconds * 1_000 + backoff
}

/** `Retry-After` in seconds from now, whichever of its two forms it has (RFC 9110). */
export function parseRetryAfter(value: string | null): number | undefined {
  if (value === null) return undefined
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1_000)
}

/** Resolves after so long; rejects with the signal's reason when that comes first. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const end = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end)
      resolve()
    }, ms)
    signal?.addEventListener('abort', end, { once: true })
  })
}
