import { setTimeout as pause } from 'node:timers/promises'

/**
 * The time between "do not send me anything new" and the end: whoever looks at the readiness finds
 * out and goes elsewhere, and until then is served.
 */
export type LameDuck = {
  /** Notes a request that is not a probe. */
  requested(): void
  /** Notes that somebody looks at the readiness. */
  probed(): void
  /**
   * Resolves once no request has arrived for the quiet period, or after the longest time. At once
   * when nobody looks at the readiness: nobody would go elsewhere either.
   */
  wait(options?: { isWatched: boolean }): Promise<void>
}

// Kubernetes asks every 10 s unless told otherwise, and may miss one or two.
const watchedMs = 30_000
// Who goes on sending after this many quiet periods does not look at what we say.
const longestPeriods = 4

// A process that is held up must not take its own absence for quiet: the quiet period is this many
// looks in a row at which nothing had come, and one that is late counts as one.
const looks = 6

/** @param options.quietMs longer than the pause between two probes of clients; 0 for no wait at all. */
export function createLameDuck({ quietMs }: { quietMs: number }): LameDuck {
  let probedAtMs = Number.NEGATIVE_INFINITY
  let requests = 0

  return {
    requested() {
      requests += 1
    },
    probed() {
      probedAtMs = performance.now()
    },
    async wait({ isWatched } = { isWatched: false }) {
      const startedAtMs = performance.now()
      if (quietMs === 0 || (!isWatched && startedAtMs - probedAtMs > watchedMs)) return
      const endsAtMs = startedAtMs + quietMs * longestPeriods
      let quietLooks = 0
      while (quietLooks < looks && performance.now() < endsAtMs) {
        const before = requests
        await pause(quietMs / looks)
        quietLooks = requests === before ? quietLooks + 1 : 0
      }
    },
  }
}
