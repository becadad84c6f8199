import { AppError } from './errors.ts'

/** One address of a service and how it has fared. Read it; {@link Discovery} changes it. */
export type Instance = {
  readonly address: string
  readonly inFlight: number
  readonly consecutiveFailures: number
  /** How often in a row it was taken out of the choice. */
  readonly ejections: number
  /** Until when it is left alone, on the clock of the discovery; 0 when it is not. */
  readonly ejectedUntilMs: number
}

export type Discovery = {
  /**
   * Chooses an instance: of two random available ones the one with fewer calls in flight. When
   * none is available, any is better than none, so one of the ejected is tried.
   * @throws unavailable `NO_INSTANCE` when there is no instance outside `except`.
   */
  pick(except?: ReadonlySet<Instance>): Instance
  /** Each `started` is followed by one `finished`. `failed` means that no connection worked. */
  started(instance: Instance): void
  finished(instance: Instance, outcome: 'worked' | 'failed' | 'cancelled'): void
  instances(): readonly (Instance & { readonly isAvailable: boolean })[]
  /** Replaces the addresses; those that stay keep their record. */
  update(addresses: readonly string[]): void
}

export type DiscoveryOptions = {
  /** Connection failures in a row after which an instance is left alone. */
  failureThreshold?: number
  basePauseMs?: number
  maxPauseMs?: number
  clock?: () => number
  random?: () => number
}

type Mutable = { -readonly [K in keyof Instance]: Instance[K] }

/** Client-side discovery: health-aware power of two choices with ejection of failing instances. */
export function createDiscovery(
  addresses: readonly string[],
  options: DiscoveryOptions = {},
): Discovery {
  // Three in a row is no accident. A restart takes about a second, so pauses start below it.
  const { failureThreshold = 3, basePauseMs = 500, maxPauseMs = 10_000 } = options
  const { clock = () => performance.now(), random = Math.random } = options
  let known: Mutable[] = []

  const isAvailable = (instance: Instance) => {
    if (instance.ejectedUntilMs === 0) return true
    // After its pause one call at a time finds out whether it is back.
    return clock() >= instance.ejectedUntilMs && instance.inFlight === 0
  }

  function choose(candidates: readonly Mutable[]): Mutable | undefined {
    const { length } = candidates
    if (length < 2) return candidates[0]
    const first = Math.floor(random() * length)
    const second = (first + 1 + Math.floor(random() * (length - 1))) % length
    const [a, b] = [candidates[first], candidates[second]]
    if (!a || !b) return a ?? b
    return b.inFlight < a.inFlight ? b : a
  }

  function eject(instance: Mutable): void {
    instance.ejections += 1
    const pauseMs = Math.min(maxPauseMs, basePauseMs * 2 ** Math.min(instance.ejections - 1, 20))
    instance.ejectedUntilMs = clock() + pauseMs * (0.75 + random() / 2)
  }

  function update(next: readonly string[]): void {
    known = [...new Set(next)].map(
      (address) =>
        known.find((instance) => instance.address === address) ?? {
          address,
          inFlight: 0,
          consecutiveFailures: 0,
          ejections: 0,
          ejectedUntilMs: 0,
        },
    )
  }

  update(addresses)
  return {
    pick(except = new Set()) {
      const allowed = known.filter((instance) => !except.has(instance))
      const chosen = choose(allowed.filter(isAvailable)) ?? choose(allowed)
      if (!chosen) {
        throw new AppError('unavailable', 'NO_INSTANCE', 'No instance can be reached.', {
          retryAfterSeconds: 1,
        })
      }
      return chosen
    },
    started(instance) {
      ;(instance as Mutable).inFlight += 1
    },
    finished(instance, outcome) {
      const record = instance as Mutable
      record.inFlight -= 1
      if (outcome === 'cancelled') return
      if (outcome === 'worked') {
        record.consecutiveFailures = 0
        record.ejections = 0
        record.ejectedUntilMs = 0
        return
      }
      record.consecutiveFailures += 1
      if (record.consecutiveFailures >= failureThreshold) eject(record)
    },
    instances: () => known.map((instance) => ({ ...instance, isAvailable: isAvailable(instance) })),
    update,
  }
}
