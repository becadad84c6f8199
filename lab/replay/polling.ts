import { setTimeout as delay } from 'node:timers/promises'

export type Polling = {
  /** Asks until there is nothing left to wait for; throws with what was last said. */
  until(ask: () => Promise<string | undefined>, what: string): Promise<void>
}

// Between two looks, of the time that it has taken so far.
const growth = 0.4
// Of the newest time in the average.
const weight = 0.1

/**
 * Looks when it will probably be done, as earlier waits have shown: every look at a large order
 * costs as much as a line in a cart.
 */
export function createPolling(options: { firstMs: number; limitMs: number }): Polling {
  const { firstMs, limitMs } = options
  let usualMs = firstMs
  return {
    async until(ask, what) {
      const startedAtMs = performance.now()
      let pauseMs = usualMs
      for (;;) {
        await delay(pauseMs)
        const left = await ask()
        const tookMs = performance.now() - startedAtMs
        if (left === undefined) {
          usualMs += (Math.max(firstMs / 2, tookMs * 0.8) - usualMs) * weight
          return
        }
        if (tookMs > limitMs) throw new Error(`${what} ${left}.`)
        pauseMs = Math.max(firstMs / 2, tookMs * growth)
      }
    },
  }
}
