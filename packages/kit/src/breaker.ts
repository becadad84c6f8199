type Clock = () => number
const monotonic: Clock = () => performance.now()

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
