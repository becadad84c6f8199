/** Who of this process may have messages in hand at the same time. */
export type Gate = {
  /**
   * Runs the work beside that of others, after whoever is alone. The work may `hold` on to more
   * that outlives it.
   */
  together<T>(work: (hold: (more: Promise<void>) => void) => Promise<T>): Promise<T>
  /**
   * Runs the work when nobody else has anything in hand: if the process then dies, it is clear of
   * what. Waits as long as the others' deadlines allow.
   */
  alone<T>(work: () => Promise<T>): Promise<T>
}

/** Makes a gate for one process. */
export function createGate(): Gate {
  const inHand = new Set<Promise<unknown>>()
  let someoneAlone: Promise<void> | undefined

  function hold<T>(work: Promise<T>): Promise<T> {
    const release = () => void inHand.delete(work)
    inHand.add(work)
    work.then(release, release)
    return work
  }

  return {
    async together(work) {
      while (someoneAlone) await someoneAlone
      return hold(work((more) => void hold(more)))
    },
    async alone(work) {
      while (someoneAlone) await someoneAlone
      const { promise, resolve } = Promise.withResolvers<void>()
      someoneAlone = promise
      try {
        while (inHand.size > 0) await Promise.allSettled(inHand)
        return await work()
      } finally {
        someoneAlone = undefined
        resolve()
      }
    },
  }
}
