/** The newest answer to a question that may take longer than its asker waits. */
export type Latest<T> = () => Promise<T | undefined>

// A broker that is slow to tell is told of by its last word for a while.
const keptMs = 10_000

/**
 * Asks one at a time, waits at most `waitMs`, and answers with the newest word that is not too old.
 * @param onFailure told of what the question threw; the last word stands meanwhile.
 */
export function createLatest<T>(
  ask: () => Promise<T>,
  options: { waitMs: number; clock: () => number; onFailure: (error: unknown) => void },
): Latest<T> {
  const { waitMs, clock, onFailure } = options
  let last: { value: T; atMs: number } | undefined
  let underWay: Promise<void> | undefined
  return async () => {
    underWay ??= ask()
      .then((value) => {
        last = { value, atMs: clock() }
      }, onFailure)
      .finally(() => {
        underWay = undefined
      })
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, waitMs)
    await Promise.race([underWay, promise]).finally(() => clearTimeout(timer))
    return last && clock() - last.atMs <= keptMs ? last.value : undefined
  }
}
