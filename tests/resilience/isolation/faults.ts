/** Something that can be broken in four ways. */
export type Breakable = {
  stop(): Promise<void>
  /** Resolves when it is ready. */
  start(): Promise<void>
  /** kill -9 of all of it; resolves when the processes are gone. */
  kill(): Promise<void>
  /** Resolves when those that took the place of the killed ones are ready. */
  returns(): Promise<void>
  freeze(): Promise<void>
  thaw(): Promise<void>
  /** Makes all that it is sent late, from now on for everybody; 0 ends it. */
  slow?(byMs: number): Promise<void>
}

export type Fault = {
  /** As in a title. */
  word: string
  /** Nobody is served as long as it lasts. */
  isAway: boolean
  /** Whoever asks is not refused at once, but hangs: what must not hold up others. */
  makesWait: boolean
  /** Other processes work afterwards. */
  isReplaced: boolean
  /** Does the work while the part is broken, and ends when it is not. */
  strike(part: Breakable, work: () => Promise<void>): Promise<void>
}

// What the source asks for: more than a probe waits (1 s), less than a read may take (3 s).
const lateMs = 2_000

export const stopped: Fault = {
  word: 'stopped',
  isAway: true,
  makesWait: false,
  isReplaced: true,
  async strike(part, work) {
    await part.stop()
    await work().finally(part.start)
  },
}

export const killed: Fault = {
  word: 'killed',
  isAway: false,
  makesWait: false,
  isReplaced: true,
  async strike(part, work) {
    // Its first requests are under way when the part dies.
    const working = work()
    const [done] = await Promise.allSettled([working, part.kill()])
    await part.returns()
    if (done.status === 'rejected') throw done.reason
  },
}

export const frozen: Fault = {
  word: 'frozen',
  isAway: true,
  makesWait: true,
  isReplaced: false,
  async strike(part, work) {
    await part.freeze()
    await work().finally(part.thaw)
  },
}

export const slow: Fault = {
  word: 'slow',
  isAway: false,
  makesWait: true,
  isReplaced: false,
  async strike(part, work) {
    if (!part.slow) throw new Error('This part cannot be slowed.')
    await part.slow(lateMs)
    await work().finally(() => part.slow?.(0))
  },
}

export const faults = [stopped, killed, frozen, slow] as const
