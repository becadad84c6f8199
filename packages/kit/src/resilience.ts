import { AppError } from './errors.ts'

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
