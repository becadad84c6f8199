import { AppError } from '@halles/kit/errors'

/** How long work waits in this process before its turn comes. */
export type LoadMonitor = {
  readonly name: 'load monitor'
  /** Smoothed milliseconds by which the event loop is late. */
  delayMs(): number
  start(): Promise<void>
  stop(): Promise<void>
}

const sampleMs = 20
// A few hundred milliseconds: longer than a burst, shorter than a shopper's patience.
const smoothingMs = 400
// A sample that comes late stands for a long time, but never for all that is known.
const largestShare = 0.5

/**
 * Averages how late the loop is. One stall, such as a garbage collection or a machine that was
 * paused, is no overload however long it was: a sample counts as late only as far as the one before
 * it was late too. Returns the average after a sample.
 * @param lateMs by how much the sample itself was late, which is what everything else waited too.
 */
export function createDelayAverage(): (lateMs: number) => number {
  let averageMs = 0
  let beforeMs = 0
  return (lateMs) => {
    const lastingMs = Math.min(lateMs, beforeMs)
    beforeMs = lateMs
    averageMs += (lastingMs - averageMs) * Math.min(largestShare, (sampleMs + lateMs) / smoothingMs)
    return averageMs
  }
}

/** Measures the event-loop delay with a timer, so that a request only reads a number. */
export function createLoadMonitor(clock: () => number = () => performance.now()): LoadMonitor {
  const average = createDelayAverage()
  let delayMs = 0
  let timer: NodeJS.Timeout | undefined
  return {
    name: 'load monitor',
    delayMs: () => delayMs,
    async start() {
      let lastMs = clock()
      timer = setInterval(() => {
        const nowMs = clock()
        delayMs = average(Math.max(0, nowMs - lastMs - sampleMs))
        lastMs = nowMs
      }, sampleMs)
      timer.unref()
    },
    async stop() {
      clearInterval(timer)
    },
  }
}

/** Throws unavailable `OVERLOADED` when a request of the class is to be turned away. */
export type Shed<Class extends string> = (shedClass: Class) => void

// Long enough for a burst to be over; the ramp spreads those who come back.
const retryAfterSeconds = 2

/**
 * Turns requests away while the event loop is late, the dear ones first.
 * @param options.thresholds milliseconds of delay per class: none is refused below, all at twice as
 *   many, and a share that grows between, so that load does not swing between all and nothing.
 * @param options.onShed told of each refusal.
 */
export function createShedder<Class extends string>(options: {
  thresholds: Readonly<Record<Class, number>>
  delayMs: () => number
  onShed: (shedClass: Class) => void
  random?: () => number
}): Shed<Class> {
  const { thresholds, delayMs, onShed, random = Math.random } = options
  return (shedClass) => {
    const thresholdMs = thresholds[shedClass]
    const excessMs = delayMs() - thresholdMs
    if (excessMs <= 0 || random() * thresholdMs >= excessMs) return
    onShed(shedClass)
    throw overloaded
  }
}

// Made once: under overload even the stack trace of an error is too dear.
const overloaded = new AppError(
  'unavailable',
  'OVERLOADED',
  'There is more to do than can be done right now. Please try again.',
  { retryAfterSeconds },
)
