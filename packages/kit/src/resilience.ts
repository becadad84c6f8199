import { AppError } from './errors.ts'

type Clock = () => number
const monotonic: Clock = () => performance.now()

/** What says that work is not wanted any more: an `AbortSignal`, or what costs less. */
export type Cancellation = Pick<AbortSignal, 'aborted' | 'reason'> & {
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/**
 * A cancellation for work that begins thousands of times a second and is hardly ever given up: an
 * AbortController for each request costs as much as a step of the pipeline.
 */
export function createCancellation(): Cancellation & { cancel(reason: Error): void } {
  let listeners: (() => void)[] | undefined
  const cancellation = {
    aborted: false,
    reason: undefined as unknown,
    addEventListener(_type: 'abort', listener: () => void) {
      listeners ??= []
      listeners.push(listener)
    },
    removeEventListener(_type: 'abort', listener: () => void) {
      listeners = listeners?.filter((each) => each !== listener)
    },
    cancel(reason: Error) {
      if (cancellation.aborted) return
      cancellation.aborted = true
      cancellation.reason = reason
      const told = listeners ?? []
      listeners = undefined
      for (const listener of told) listener()
    },
  }
  return cancellation
}

export type BreakerState = 'closed' | 'open' | 'half-open'

export type Breaker = {
  /**
   * Whether a call may be made now. Each true must be followed by one success, failure or release.
   * @param isUrgent where nobody else can be asked: the pause of an open breaker is a tenth then.
   */
  allow(isUrgent?: boolean): boolean
  success(): void
  failure(): void
  /** Ends an allowed call that says nothing about the other side (cancelled by us). */
  release(): void
  /** Opens at once, because the other side is known to be away. */
  trip(): void
  /** Closes at once, because the other side is known to be well. */
  reset(): void
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
    allow(isUrgent = false) {
      if (state === 'closed') return true
      const pauseMs = isUrgent ? openMs / 10 : openMs
      if (state === 'open' && clock() - openedAtMs >= pauseMs) state = 'half-open'
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
    trip: open,
    reset() {
      state = 'closed'
      isProbing = false
      resetWindow()
    },
    state: () => state,
  }
}

export type BulkheadOptions = {
  limit: number
  queueLimit: number
  /** The error for work beyond limit and queue. */
  refuse: () => AppError
  /** A further condition for a place besides the limit; see {@link Bulkhead.admit}. */
  hasRoom?: () => boolean
}

export type Bulkhead = {
  /**
   * Runs the work when a place is free, waits in the queue otherwise, refuses when that is full.
   * When the signal is aborted before a place is free, it leaves the queue, the work never runs,
   * and the reason of the signal is thrown.
   */
  run<T>(work: () => Promise<T>, options?: { signal?: Cancellation | undefined }): Promise<T>
  /**
   * Takes a place: at once when it returns undefined, else when the promise resolves. Each place is
   * given back by one `leave`. Refuses as `run` does, and after `limitMs` in the queue.
   */
  enter(signal?: Cancellation, limitMs?: number): Promise<void> | undefined
  leave(): void
  /** Lets in who waits, as far as there is room; to be called when `hasRoom` may have changed. */
  admit(): void
  /** Turns away everyone who waits. */
  refuseWaiting(error: AppError): void
  running(): number
  waiting(): number
}

type Waiter = { enter(): void; giveUp(reason: unknown): void }

/**
 * Bounds how much of one kind of work runs at once, so that a slow dependency cannot take every
 * socket and every byte of memory.
 */
export function createBulkhead(options: BulkheadOptions): Bulkhead {
  const { limit, queueLimit, refuse, hasRoom = () => true } = options
  // Sets keep their order, and let a waiter leave from the middle.
  const queue = new Set<Waiter>()
  let running = 0

  function admit(): void {
    for (const waiter of queue) {
      if (running >= limit || !hasRoom()) return
      running += 1
      waiter.enter()
    }
  }

  function leave(): void {
    running -= 1
    if (queue.size > 0) admit()
  }

  function wait(signal: Cancellation | undefined, limitMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer =
        limitMs === undefined ? undefined : setTimeout(() => waiter.giveUp(refuse()), limitMs)
      const abort = () => waiter.giveUp(signal?.reason)
      const depart = () => {
        queue.delete(waiter)
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      const waiter: Waiter = {
        enter() {
          depart()
          resolve()
        },
        giveUp(reason) {
          depart()
          reject(reason)
        },
      }
      queue.add(waiter)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  function enter(signal?: Cancellation, limitMs?: number): Promise<void> | undefined {
    if (signal?.aborted) throw signal.reason
    if (running < limit && hasRoom()) {
      running += 1
      return undefined
    }
    if (queue.size >= queueLimit) throw refuse()
    return wait(signal, limitMs)
  }

  return {
    async run(work, { signal } = {}) {
      await enter(signal)
      try {
        return await work()
      } finally {
        leave()
      }
    },
    enter,
    leave,
    admit,
    refuseWaiting(error) {
      for (const waiter of queue) waiter.giveUp(error)
    },
    running: () => running,
    waiting: () => queue.size,
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

// An instance that restarts is back within a second or two.
const retryAfterSeconds = 2

/** The error where a service cannot be asked, or did not answer. */
export function upstreamUnavailable(service: string, cause?: unknown): AppError {
  const message = `${service} does not answer right now.`
  return new AppError('unavailable', 'UPSTREAM_UNAVAILABLE', message, {
    details: { service },
    retryAfterSeconds,
    cause,
  })
}

/** The error where too much waits for a service already. */
export function upstreamBusy(service: string): AppError {
  const message = `Too many calls wait for ${service}.`
  return new AppError('unavailable', 'UPSTREAM_BUSY', message, {
    details: { service },
    retryAfterSeconds,
  })
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
