import type { Breaker, BreakerState } from './breaker.ts'

/** What an instance says of itself, or that it says nothing (`unhealthy`). */
export type Health = 'ready' | 'draining' | 'unhealthy'

/**
 * How an attempt ended. `refused`: the service answers, but cannot do the work now, because of a
 * dependency or its load. `broken`: no answer, or not the service's own. `unsent`: no connection,
 * so nothing can have been served. `cancelled`: by us, which says nothing about the instance.
 */
export type Verdict = 'worked' | 'refused' | 'broken' | 'unsent' | 'cancelled'

/** One address of a service, its connection, and how it fares. Read it; {@link Discovery} changes it. */
export type Instance<C> = {
  readonly address: string
  readonly connection: C
  readonly breaker: Breaker
  readonly health: Health
  readonly inFlight: number
  /** Answers without end, which are no measure of load. */
  readonly streams: number
  /** When it last refused, on the clock of the discovery. */
  readonly refusedAtMs: number
  /** Changes with health and breaker, so that attempts from before do not count any more. */
  readonly epoch: number
}

/** An instance as operators see it; `ejected` is ready, but its breaker is not closed. */
export type InstanceView = {
  readonly address: string
  readonly state: Health | 'ejected'
  readonly inFlight: number
  readonly breaker: BreakerState
}

export type Discovery<C> = {
  /**
   * The instance to ask: the better of two random ready ones. Without any, one that drains, which
   * still serves; then one that is ejected, a single call at a time. Undefined when there is none.
   * Each one picked must be followed by `started`.
   */
  pick(options: {
    isRepeatable: boolean
    tried?: readonly Instance<C>[] | undefined
  }): Instance<C> | undefined
  started(instance: Instance<C>, isStream: boolean): void
  finished(instance: Instance<C>, isStream: boolean): void
  /**
   * Takes what an attempt showed of its instance.
   * @param epoch the instance's when the attempt started.
   */
  judge(instance: Instance<C>, epoch: number, verdict: Verdict): void
  /** Takes what a probe found out. */
  report(instance: Instance<C>, health: Health): void
  /** Whether one that serves has room for a call. True when none serves: `pick` decides then. */
  hasRoom(): boolean
  /** Whether any instance serves: ready, or draining. */
  isServing(): boolean
  /** Whether a pick could find anyone. */
  hasChoice(): boolean
  /** Whether another instance than these is ready. */
  hasOther(tried: readonly Instance<C>[]): boolean
  readyCount(): number
  instances(): readonly InstanceView[]
  each(visit: (instance: Instance<C>) => void): void
  /** Replaces the addresses; those that stay keep their record. */
  update(addresses: readonly string[]): void
  /** Called after the choice changed. */
  onChange(listener: () => void): void
}

export type DiscoveryOptions<C> = {
  connect(address: string): C
  /** An instance was added. */
  added?(instance: Instance<C>): void
  /** The address of an instance is gone, and so is the last call on it. */
  retired?(instance: Instance<C>): void
  /** The address of an instance is gone. */
  removed?(instance: Instance<C>): void
  createBreaker: () => Breaker
  /** Calls at once at one instance. */
  maxInFlight: number
  /** Whether health is reported, so that a refused connection is left to the probes. */
  isProbed: boolean
  clock?: () => number
  random?: () => number
}

type Mutable<C> = { -readonly [K in keyof Instance<C>]: Instance<C>[K] }

// An instance that lost its database answers faster than one that works, and would draw all the
// load. For this long after a refusal any other is preferred.
const refusalMs = 1_000

/** The instances, sorted anew when something changes, which is rare; looked at by every call. */
type Lists<C> = {
  known: Mutable<C>[]
  ready: Mutable<C>[]
  draining: Mutable<C>[]
  ejected: Mutable<C>[]
}

/** Client-side discovery: the instances of one service, their health, and the choice among them. */
export function createDiscovery<C>(options: DiscoveryOptions<C>): Discovery<C> {
  const lists: Lists<C> = { known: [], ready: [], draining: [], ejected: [] }
  const listeners: (() => void)[] = []
  const sort = () => {
    sortByState(lists)
    for (const listener of listeners) listener()
  }
  const turn = (instance: Mutable<C>) => {
    instance.epoch += 1
    sort()
  }
  const isServing = () => lists.ready.length > 0 || lists.draining.length > 0

  // Asked for every call, so it makes nothing.
  function hasRoom(): boolean {
    const { ready, draining } = lists
    for (const { inFlight } of ready) if (inFlight < options.maxInFlight) return true
    for (const { inFlight } of draining) if (inFlight < options.maxInFlight) return true
    return !isServing()
  }

  return {
    ...createJudgement(options, turn),
    pick: createChoice(lists, options, turn),
    started(instance: Mutable<C>, isStream) {
      if (isStream) instance.streams += 1
      else instance.inFlight += 1
    },
    finished(instance: Mutable<C>, isStream) {
      if (isStream) instance.streams -= 1
      else instance.inFlight -= 1
      if (isIdle(instance) && !lists.known.includes(instance)) options.retired?.(instance)
    },
    hasRoom,
    isServing,
    hasChoice: () => isServing() || lists.ejected.length > 0,
    hasOther: (tried) => lists.ready.some((instance) => !tried.includes(instance)),
    readyCount: () => lists.ready.length,
    instances: () => lists.known.map(toView),
    each(visit) {
      for (const instance of lists.known) visit(instance)
    },
    update(addresses) {
      exchange(lists, addresses, options)
      sort()
    },
    onChange: (listener) => void listeners.push(listener),
  }
}

function sortByState<C>(lists: Lists<C>): void {
  const isClosed = ({ breaker }: Mutable<C>) => breaker.state() === 'closed'
  const well = lists.known.filter(({ health }) => health === 'ready')
  lists.ready = well.filter(isClosed)
  lists.ejected = well.filter((instance) => !isClosed(instance))
  lists.draining = lists.known.filter(({ health }) => health === 'draining')
}

type Turn<C> = (instance: Mutable<C>) => void

/** What is learnt of an instance. */
function createJudgement<C>(
  { clock = () => performance.now(), isProbed }: DiscoveryOptions<C>,
  turn: Turn<C>,
): Pick<Discovery<C>, 'judge' | 'report'> {
  function report(instance: Mutable<C>, health: Health): void {
    if (instance.health === health) return
    // The call that tries out a half-open breaker counts for the old epoch alone.
    instance.breaker.release()
    // What returns has most likely been started anew.
    if (instance.health === 'unhealthy') instance.breaker.reset()
    instance.health = health
    turn(instance)
  }

  function judge(instance: Mutable<C>, epoch: number, verdict: Verdict): void {
    if (verdict === 'refused') instance.refusedAtMs = clock()
    // An attempt from before the instance went away or came back tells nothing about now.
    if (epoch !== instance.epoch) return
    const { breaker } = instance
    if (verdict === 'unsent' && isProbed) {
      report(instance, 'unhealthy')
      return
    }
    const before = breaker.state()
    if (verdict === 'cancelled') breaker.release()
    else if (verdict === 'broken') breaker.failure()
    else if (verdict === 'unsent') breaker.trip()
    else breaker.success()
    if (breaker.state() !== before) turn(instance)
  }

  return { judge, report }
}

/** Power of two choices: the better of two random ones, which needs no look at all of them. */
function createChoice<C>(
  lists: Lists<C>,
  { clock = () => performance.now(), random = Math.random, maxInFlight }: DiscoveryOptions<C>,
  turn: Turn<C>,
): Discovery<C>['pick'] {
  function load({ refusedAtMs, inFlight }: Mutable<C>, nowMs: number): number {
    return nowMs - refusedAtMs < refusalMs ? inFlight + maxInFlight : inFlight
  }

  function choose(from: readonly Mutable<C>[], tried?: readonly Instance<C>[]) {
    const candidates = tried ? from.filter((instance) => !tried.includes(instance)) : from
    const { length } = candidates
    if (length < 2) return candidates[0]
    const first = Math.floor(random() * length)
    const second = (first + 1 + Math.floor(random() * (length - 1))) % length
    const [a, b] = [candidates[first], candidates[second]]
    if (!a || !b) return a ?? b
    const nowMs = clock()
    return load(b, nowMs) < load(a, nowMs) ? b : a
  }

  /** One that is ejected and may show that it is back, by this call. */
  function chooseEjected(isUrgent: boolean, tried?: readonly Instance<C>[]) {
    const isTrying = lists.ejected.some(({ breaker }) => breaker.state() === 'half-open')
    if (isUrgent && isTrying) return undefined
    for (const instance of lists.ejected) {
      if (tried?.includes(instance)) continue
      const before = instance.breaker.state()
      const mayTry = instance.breaker.allow(isUrgent)
      if (instance.breaker.state() !== before) turn(instance)
      if (mayTry) return instance
    }
    return undefined
  }

  return ({ isRepeatable, tried }) => {
    const { ready, draining, ejected } = lists
    const isUrgent = ready.length === 0 && draining.length === 0
    // Where there is a choice, an ejected instance is not tried with what must not fail.
    if (ejected.length > 0 && (isRepeatable || isUrgent)) {
      const back = chooseEjected(isUrgent, tried)
      if (back) return back
    }
    return choose(ready, tried) ?? choose(draining, tried)
  }
}

/** Takes over the new addresses; those that stay keep their record. */
function exchange<C>(
  lists: Lists<C>,
  addresses: readonly string[],
  options: DiscoveryOptions<C>,
): void {
  const before = lists.known
  const added: Mutable<C>[] = []
  lists.known = [...new Set(addresses)].map((address) => {
    const kept = before.find((instance) => instance.address === address)
    if (kept) return kept
    const instance = open(address, options)
    added.push(instance)
    return instance
  })
  for (const instance of before) {
    if (lists.known.includes(instance)) continue
    options.removed?.(instance)
    if (isIdle(instance)) options.retired?.(instance)
  }
  for (const instance of added) options.added?.(instance)
}

function open<C>(address: string, options: DiscoveryOptions<C>): Mutable<C> {
  return {
    address,
    connection: options.connect(address),
    breaker: options.createBreaker(),
    // Taken for ready until something says otherwise, or nothing could be asked at the start.
    health: 'ready',
    inFlight: 0,
    streams: 0,
    refusedAtMs: Number.NEGATIVE_INFINITY,
    epoch: 0,
  }
}

function isIdle<C>({ inFlight, streams }: Instance<C>): boolean {
  return inFlight === 0 && streams === 0
}

function toView<C>({ address, health, inFlight, breaker }: Instance<C>): InstanceView {
  const state = health === 'ready' && breaker.state() !== 'closed' ? 'ejected' : health
  return { address, state, inFlight, breaker: breaker.state() }
}
