import { AppError } from './errors.ts'

type Clock = () => number
const monotonic: Clock = () => performance.now()

export type BreakerState = 'closed' | 'open' | 'half-open'

export type Breaker = {
  /** Whether a call may be made now. Each true must be followed by one success, failure or release. */
  allow(): boolean
  success(): void
  failure(): void
  /** Ends an allowed call that says nothing about the other side (cancelled by us). */
  release(): void
  state(): BreakerState
}

/**
 * A circuit breaker: opens when `failureRatio` of at least `minimumCalls` calls of the last window
 * failed, lets one probe through after `openMs`, and closes when the probe succeeds.
 */
export function createBreaker(
  options: {
    failureRatio?: number
    minimumCalls?: number
    windowMs?: number
    openMs?: number
    clock?: Clock
  } = {},
): Breaker {
  const { failureRatio = 0.5, minimumCalls = 10, windowMs = 10_000 } = options
  const { openMs = 1_000, clock = monotonic } = options
  let state: BreakerState = 'closed'
  let windowStartMs = clock()
  let openedAtMs = 0
  let calls = 0
  let failures = 0
  let isProbing = false

  function resetWindow(): void {
    windowStartMs = clock()
    calls = 0
    failures = 0
  }

  function count(isFailure: boolean): void {
    if (clock() - windowStartMs > windowMs) resetWindow()
    calls += 1
    if (isFailure) failures += 1
  }

  function open(): void {
    state = 'open'
    openedAtMs = clock()
    isProbing = false
  }

  return {
    allow() {
      if (state === 'closed') return true
      if (state === 'open' && clock() - openedAtMs >= openMs) state = 'half-open'
      if (state !== 'half-open' || isProbing) return false
      isProbing = true
      return true
    },
    success() {
      if (state === 'half-open') {
        state = 'closed'
        isProbing = false
        resetWindow()
      }
      count(false)
    },
    failure() {
      if (state === 'half-open') return open()
      count(true)
      const isBroken = calls >= minimumCalls && failures / calls >= failureRatio
      if (state === 'closed' && isBroken) open()
    },
    release() {
      isProbing = false
    },
    state: () => state,
  }
}

export type Bulkhead = {
  /** Runs the work when a place is free, waits in the queue otherwise, refuses when that is full. */
  run<T>(work: () => Promise<T>): Promise<T>
  running(): number
  waiting(): number
}

/**
 * Bounds how much of one kind of work runs at once, so that a slow dependency cannot take every
 * socket and every byte of memory.
 * @param options.refuse the error for work beyond limit and queue.
 */
export function createBulkhead(options: {
  limit: number
  queueLimit: number
  refuse: () => AppError
}): Bulkhead {
  const { limit, queueLimit, refuse } = options
  const queue: (() => void)[] = []
  let running = 0

  function leave(): void {
    const next = queue.shift()
    // The place of who leaves is handed over, so `running` stays as it is.
    if (next) next()
    else running -= 1
  }

  return {
    async run(work) {
      if (running < limit) running += 1
      else if (queue.length < queueLimit) {
        await new Promise<void>((resolve) => {
          queue.push(resolve)
        })
      } else throw refuse()
      try {
        return await work()
      } finally {
        leave()
      }
    },
    running: () => running,
    waiting: () => queue.length,
  }
}

export type RetryBudget = {
  /** Counts a first attempt. */
  deposit(): void
  /** Whether one retry is left; takes it. */
  withdraw(): boolean
}

/**
 * Allows retries as a share of the requests made, so that retries cannot multiply the load on a
 * service that already fails.
 * @param options.ratio retries per request. @param options.reserve retries kept for quiet times.
 */
export function createRetryBudget(options: { ratio?: number; reserve?: number } = {}): RetryBudget {
  const { ratio = 0.2, reserve = 10 } = options
  let tokens = reserve
  return {
    deposit() {
      tokens = Math.min(reserve, tokens + ratio)
    },
    withdraw() {
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}

export function deadlineExceeded(): AppError {
  return new AppError('timeout', 'DEADLINE_EXCEEDED', 'This took longer than the caller waits.')
}

/**
 * The pause before a retry: exponential with full jitter, so that many clients do not return at
 * the same moment. `attempt` counts from 1; the result is in milliseconds.
 */
export function backoffMs(
  attempt: number,
  options: { baseMs: number; maxMs: number; random?: () => number },
): number {
  const { baseMs, maxMs, random = Math.random } = options
  return random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30))
}
