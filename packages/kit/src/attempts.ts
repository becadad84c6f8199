import type { UpstreamMetrics } from './balancer-metrics.ts'
import type { Discovery, Instance, Verdict } from './discovery.ts'
import {
  backoffMs,
  type Cancellation,
  type RetryBudget,
  upstreamUnavailable,
} from './resilience.ts'

/** One try of a call at one instance. */
export type Attempt<C> = {
  readonly instance: Instance<C>
  /** Milliseconds until the caller stops waiting; 0 for no limit. */
  readonly leftMs: number
  /** How it ended. Who sends may set `refused` or `broken` for an answer that is passed on. */
  verdict: Verdict
  /** Whether the call may have another attempt at the same time, so that `cancel` is to be set. */
  readonly mayHaveRival: boolean
  /** Set by who sends; called to give the attempt up. */
  cancel: ((reason: Error) => void) | undefined
  /**
   * To be called when the answer begins, before any of it is used. False when another attempt was
   * faster: this one is to be given up.
   */
  claim(): boolean
  /**
   * Asked before `claim`, after `verdict` was set to what the answer shows: whether another instance
   * shall be tried instead. After true, `send` must reject.
   */
  mayTryElsewhere(): boolean
}

/** A call to be made at whichever instance. */
export type BalancedCall<C, T> = {
  /** Makes one attempt and does not repeat it. */
  send(attempt: Attempt<C>): Promise<T>
  /** Milliseconds for the call with all its attempts; 0 for no limit. */
  readonly deadlineMs: number
  /** Whether it may be made again after it may have been served. */
  readonly isRepeatable: boolean
  /** Whether the answer has no end of its own; it takes no place then once it has begun. */
  readonly isStream?: boolean
  readonly signal?: Cancellation | undefined
  /**
   * Milliseconds after which a repeatable call is also sent to another instance; the first answer
   * counts. Taken from the retry budget.
   */
  readonly hedgeAfterMs?: number | undefined
}

type OwnAttempt<C> = Attempt<C> & { readonly epoch: number; isElsewhere: boolean }

/** A call on its way, with all its attempts. */
type Flight<C> = {
  readonly call: BalancedCall<C, unknown>
  readonly endsAtMs: number
  /** While nothing was waited for, what is left is the whole deadline. */
  isFresh: boolean
  attempts: number
  winner: OwnAttempt<C> | undefined
  tried: Instance<C>[] | undefined
  /** The attempts under way, where there may be two. */
  readonly rivals: Set<OwnAttempt<C>> | undefined
}

export type AttemptsOptions<C> = {
  name: string
  discovery: Discovery<C>
  budget: RetryBudget
  measured: UpstreamMetrics | undefined
  verdictOf(error: unknown): Verdict
}

/** Makes the attempts of one call that has its place. */
export type MakeAttempts<C> = <T>(
  call: BalancedCall<C, T>,
  endsAtMs: number,
  isFresh: boolean,
) => Promise<T>

// The first try and two others: with more, a broken service sees triple its load.
const maxAttempts = 3
const backoff = { baseMs: 25, maxMs: 200 }

/** Chooses instances for calls and repeats what may be repeated; judges the instances by it. */
export function createAttempts<C>(options: AttemptsOptions<C>): MakeAttempts<C> {
  const { discovery, budget } = options
  const mayRetry = createRetryRule(options)
  const open = createOpening(options, mayRetry)
  const proceed = createRetries(options, { mayRetry, open })
  const hedge = createHedges(options, { open, proceed })

  return <T>(call: BalancedCall<C, T>, endsAtMs: number, isFresh: boolean) => {
    const { hedgeAfterMs } = call
    const isHedged = hedgeAfterMs !== undefined && call.isRepeatable && discovery.readyCount() > 1
    const flight: Flight<C> = {
      call,
      endsAtMs,
      isFresh,
      attempts: 0,
      winner: undefined,
      tried: undefined,
      rivals: isHedged ? new Set() : undefined,
    }
    budget.deposit()
    return (isHedged ? hedge(flight, hedgeAfterMs) : proceed(flight)) as Promise<T>
  }
}

type RetryRule<C> = (flight: Flight<C>, attempt: OwnAttempt<C>, verdict: Verdict) => boolean
type Opening<C> = (flight: Flight<C>, instance: Instance<C>) => OwnAttempt<C>

function createOpening<C>(options: AttemptsOptions<C>, mayRetry: RetryRule<C>): Opening<C> {
  return (flight, instance) => {
    const { call, endsAtMs } = flight
    flight.attempts += 1
    const isWhole = flight.isFresh || call.deadlineMs === 0
    const attempt: OwnAttempt<C> = {
      instance,
      epoch: instance.epoch,
      leftMs: isWhole ? call.deadlineMs : Math.max(1, Math.ceil(endsAtMs - performance.now())),
      verdict: 'worked',
      isElsewhere: false,
      mayHaveRival: flight.rivals !== undefined,
      cancel: undefined,
      claim() {
        if (flight.winner && flight.winner !== attempt) return false
        flight.winner = attempt
        // It may go on for hours, so what it shows of the instance counts at its beginning.
        if (call.isStream) judge(attempt, options)
        if (flight.rivals) cancelOthers(flight.rivals, attempt)
        return true
      },
      mayTryElsewhere() {
        const isPoor = attempt.verdict !== 'worked' && !flight.winner
        // Even a poor answer is better than none, so there must be another instance to ask.
        attempt.isElsewhere = isPoor && mayRetry(flight, attempt, 'refused')
        return attempt.isElsewhere
      },
    }
    return attempt
  }
}

/** Makes one attempt, and judges its instance by how it ended. */
async function make<C>(
  flight: Flight<C>,
  attempt: OwnAttempt<C>,
  options: AttemptsOptions<C>,
): Promise<unknown> {
  const { discovery, verdictOf } = options
  const { call, rivals } = flight
  const { instance } = attempt
  const isStream = call.isStream === true
  discovery.started(instance, isStream)
  rivals?.add(attempt)
  try {
    return await call.send(attempt)
  } catch (error) {
    const isLost = flight.winner !== undefined && flight.winner !== attempt
    if (isLost || call.signal?.aborted) attempt.verdict = 'cancelled'
    else if (!attempt.isElsewhere) attempt.verdict = verdictOf(error)
    throw error
  } finally {
    rivals?.delete(attempt)
    // A stream that began was judged by that.
    if (!isStream || flight.winner !== attempt) judge(attempt, options)
    discovery.finished(instance, isStream)
  }
}

function judge<C>(
  { instance, epoch, verdict }: OwnAttempt<C>,
  { discovery, measured }: AttemptsOptions<C>,
): void {
  discovery.judge(instance, epoch, verdict)
  measured?.attempted(verdict)
}

/** One attempt after the other. */
function createRetries<C>(
  options: AttemptsOptions<C>,
  { mayRetry, open }: { mayRetry: RetryRule<C>; open: Opening<C> },
) {
  const { name, discovery } = options

  function choose({ call: { isRepeatable }, tried }: Flight<C>): Instance<C> | undefined {
    const other = discovery.pick({ isRepeatable, tried })
    // With every instance tried, the best of them gets another chance.
    return other ?? (tried ? discovery.pick({ isRepeatable }) : undefined)
  }

  return async (flight: Flight<C>): Promise<unknown> => {
    const { signal } = flight.call
    let failure: unknown
    for (;;) {
      const instance = choose(flight)
      if (!instance) throw failure ?? upstreamUnavailable(name)
      const attempt = open(flight, instance)
      try {
        return await make(flight, attempt, options)
      } catch (error) {
        failure = error
      }
      if (flight.winner || signal?.aborted) throw failure
      if (!attempt.isElsewhere && !mayRetry(flight, attempt, attempt.verdict)) throw failure
      flight.isFresh = false
      flight.tried ??= []
      flight.tried.push(instance)
      // To another instance at once; a second try of the same one, or after a failure that may be
      // of the whole service, not.
      if (attempt.verdict === 'broken' || !discovery.hasOther(flight.tried)) {
        await pause(backoffMs(flight.attempts, backoff))
      }
      if (signal?.aborted) throw failure
    }
  }
}

/** A second attempt beside the first. */
function createHedges<C>(
  options: AttemptsOptions<C>,
  how: { open: Opening<C>; proceed: (flight: Flight<C>) => Promise<unknown> },
) {
  const { discovery, budget, measured } = options

  function openSecond(flight: Flight<C>): OwnAttempt<C> | undefined {
    const tried = [...(flight.rivals ?? [])].map(({ instance }) => instance)
    if (flight.winner || tried.length === 0 || !discovery.hasOther(tried)) return undefined
    if (!budget.withdraw()) return undefined
    const other = discovery.pick({ isRepeatable: true, tried })
    flight.isFresh = false
    return other && how.open(flight, other)
  }

  return (flight: Flight<C>, afterMs: number): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    let underWay = 0
    const follow = (work: Promise<unknown>) => {
      underWay += 1
      work.then(resolve, (error: unknown) => {
        underWay -= 1
        if (underWay === 0) reject(error)
      })
    }
    const timer = setTimeout(() => {
      const second = openSecond(flight)
      if (!second) return
      measured?.hedged()
      const work = make(flight, second, options)
      follow(work.finally(() => flight.winner === second && measured?.hedgeWon()))
    }, afterMs)
    follow(how.proceed(flight))
    return promise.finally(() => clearTimeout(timer))
  }
}

/** Whether a call may be made once more after an attempt ended like this; takes it from the budget. */
function createRetryRule<C>({ discovery, budget, measured }: AttemptsOptions<C>): RetryRule<C> {
  return (flight, { instance }, verdict) => {
    if (flight.attempts >= maxAttempts || flight.endsAtMs <= performance.now()) return false
    if (verdict === 'worked' || verdict === 'cancelled') return false
    // What never left this process may be sent again whatever it is, and costs the service nothing.
    if (verdict !== 'unsent') {
      if (!flight.call.isRepeatable) return false
      // Who refuses said so for a reason, and would again.
      const tried = flight.tried ? [...flight.tried, instance] : [instance]
      if (verdict === 'refused' && !discovery.hasOther(tried)) return false
      if (!budget.withdraw()) return false
    }
    measured?.retried(verdict)
    return true
  }
}

function cancelOthers<C>(rivals: ReadonlySet<OwnAttempt<C>>, winner: OwnAttempt<C>): void {
  for (const attempt of rivals) {
    if (attempt !== winner) attempt.cancel?.(new Error('Another instance was faster.'))
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
