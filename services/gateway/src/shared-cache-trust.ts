import type { Logger } from '@halles/kit/logging'
import { createLoop } from '@halles/kit/loop'
import type { Redis } from './redis.ts'
import { joinCache, purgeTags } from './shared-cache-scripts.ts'

/** Whether this gateway may believe what is shared: whether Redis knows each purge that it knows. */
export type Trust = {
  /** Tells a purge; what is not confirmed in time is told again, and nothing is believed until then. */
  purge(eventId: string, tags: readonly string[]): Promise<void>
  /** Begins to watch, once this gateway hears of every change. */
  join(): void
  isGiven(): boolean
  stop(): Promise<void>
}

// Longer than any answer is held, so that it never outlives what is known of its purges.
export const rootMs = 7 * 24 * 3_600_000
// Some 100 bytes each.
const maxTags = 200_000
// All gateways hear of an event within it; one that is later purges again, which harms nothing.
const seenMs = 120_000
// A gateway that starts hears of the changes of the last minute: see `replayMs` of the consumers.
const watchMs = 5_000
const roundMs = 1_000
const eagerRoundMs = 250
// Beyond it everything that is shared is given up instead: cheaper than to name each.
const maxUnconfirmed = 500

export function createTrust(redis: Pick<Redis, 'space' | 'run'>, logger: Logger): Trust {
  const unconfirmed = new Map<string, readonly string[]>()
  let joined: string | undefined
  // Each time that this gateway cannot vouch any more for what is held, and up to which it was told.
  let doubts = 0
  let doubtsTold = 0
  let isStopped = false

  const isGiven = () =>
    joined !== undefined &&
    redis.space() === joined &&
    unconfirmed.size === 0 &&
    doubts === doubtsTold

  async function purge(eventId: string, tags: readonly string[]): Promise<boolean> {
    const keys = ['root', `event:${eventId}`]
    const reply = await redis.run(purgeTags, keys, [rootMs, seenMs, maxTags, tags.join(' ')])
    return reply !== undefined
  }

  function remember(eventId: string, tags: readonly string[]): void {
    unconfirmed.set(eventId, tags)
    if (unconfirmed.size <= maxUnconfirmed) return
    unconfirmed.clear()
    doubts += 1
  }

  async function joinSpace(): Promise<boolean> {
    const space = redis.space()
    if (space === undefined) return false
    const told = doubts
    // What was purged on another server is not known to this one.
    const isAnew = doubts > doubtsTold || (joined !== undefined && joined !== space)
    const reply = await redis.run(joinCache, ['root', 'watch'], [isAnew ? 1 : 0, watchMs])
    if (reply === undefined) return false
    if (reply === 1) logger.info('The shared cache begins anew.')
    joined = space
    doubtsTold = told
    return true
  }

  async function round(): Promise<number> {
    if (await joinSpace()) {
      for (const [eventId, tags] of [...unconfirmed]) {
        if (!(await purge(eventId, tags))) break
        unconfirmed.delete(eventId)
      }
    }
    return isGiven() ? roundMs : eagerRoundMs
  }

  const backoff = { baseMs: eagerRoundMs, maxMs: roundMs }
  const loop = createLoop({ name: 'shared cache', logger, round, backoff })

  return {
    async purge(eventId, tags) {
      if (!(await purge(eventId, tags))) remember(eventId, tags)
    },
    join() {
      if (!isStopped) loop.start()
    },
    isGiven,
    stop() {
      isStopped = true
      return loop.stop()
    },
  }
}
