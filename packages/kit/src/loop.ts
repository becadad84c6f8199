import type { Logger } from './logging.ts'
import type { Backoff } from './messaging.ts'
import { runAsRoot, type Tracer } from './spans.ts'

export type LoopOptions = {
  name: string
  logger: Logger
  /** One round of work; returns after how many milliseconds to look again unless woken before. */
  round: () => Promise<number>
  /** The pause after a round that failed. */
  backoff: Backoff
  /** Told of rounds that did something; for those that call other services or emit messages. */
  tracer?: Tracer | undefined
}

export type Loop = {
  start(): void
  /** Asks for a round now, or right after the one under way. Does not cut a back-off short. */
  wake(): void
  /** Resolves when the round under way is over. */
  stop(): Promise<void>
}

// setTimeout fires at once above this.
const longestTimerMs = 2 ** 31 - 1

/** A delay that grows with the failures and is spread at random, so that replicas do not march in step. */
export function jitteredDelayMs({ baseMs, maxMs }: Backoff, failures: number): number {
  const ceiling = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30))
  return ceiling / 2 + (Math.random() * ceiling) / 2
}

/** Repeats bounded rounds of background work: woken by events, with a timer as a back-stop. */
export function createLoop({ name, logger, round, backoff, tracer }: LoopOptions): Loop {
  let isRunning = false
  let isWoken = false
  let isBackingOff = false
  let endPause: () => void = () => undefined
  let finished: Promise<void> = Promise.resolve()

  function pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(Math.max(delayMs, 0), longestTimerMs))
      endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async function run(): Promise<void> {
    let failures = 0
    while (isRunning) {
      isWoken = false
      let delayMs: number
      try {
        delayMs = await runAsRoot(tracer, name, round)
        failures = 0
      } catch (error) {
        failures += 1
        delayMs = jitteredDelayMs(backoff, failures)
        logger.warn({ err: error, loop: name, failures }, 'a background round failed')
      }
      isBackingOff = failures > 0
      if (isRunning && (isBackingOff || !isWoken)) await pause(delayMs)
      isBackingOff = false
    }
  }

  return {
    start() {
      if (isRunning) return
      isRunning = true
      finished = run()
    },
    wake() {
      isWoken = true
      if (!isBackingOff) endPause()
    },
    async stop() {
      isRunning = false
      endPause()
      await finished
    },
  }
}
