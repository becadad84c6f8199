import { setTimeout as pause } from 'node:timers/promises'
import { AppError, errorTable } from './errors.ts'
import { jitteredDelayMs } from './loop.ts'
import type { Backoff, Failure, Handler, Message, TopicReplay } from './messaging.ts'
import { childOf, parseTraceparent, type RequestContext, runWithContext } from './trace.ts'

/** How a try ended. An `outage` is the environment's fault and does not count as a try. */
export type Outcome = 'done' | { verdict: 'retry' | 'outage' | 'dead-letter'; failure: Failure }

export type Attempt = {
  handler: Handler
  message: Message
  attempt: number
  deadlineMs: number
  /** Aborts when the process gives up draining. */
  stopping: AbortSignal
}

/** The limits of a consumer, with the defaults that every adapter shares. */
export type Limits = { maxAttempts: number; backoff: Backoff; outageMs: number; deadlineMs: number }

/** Fills in the defaults of a consumer's limits. */
export function toLimits(options: {
  maxAttempts?: number
  backoff?: Backoff
  outageMs?: number
  deadlineMs?: number
}): Limits {
  return {
    // About a minute of retries with this back-off: longer than a restart of what the handler needs.
    maxAttempts: options.maxAttempts ?? 8,
    backoff: options.backoff ?? { baseMs: 200, maxMs: 15_000 },
    // An operator should have seen an outage within a day; then its messages stop the show.
    outageMs: options.outageMs ?? 24 * 3_600_000,
    // A handler is one short transaction; more means that it hangs.
    deadlineMs: options.deadlineMs ?? 10_000,
  }
}

// A reason may quote a driver's message, which has no bound.
const longestReason = 300

/** Describes a failed try, bounded, for the history of a message. */
export function toFailure(error: unknown, attempt: number): Failure {
  const known = error instanceof AppError
  const text = error instanceof Error ? error.message : 'A value that is no error was thrown.'
  return {
    at: new Date().toISOString(),
    attempt,
    code: known ? error.code : 'INTERNAL',
    reason: text.slice(0, longestReason),
  }
}

function judge(error: unknown): 'retry' | 'outage' | 'dead-letter' {
  if (!(error instanceof AppError)) return 'retry'
  if (error.kind === 'unavailable') return 'outage'
  return errorTable[error.kind].consumer
}

/** What a handler emits belongs to the message's flow, also when the sender named none. */
function toContext({ id, traceparent, correlationid }: Message): RequestContext {
  const trace = childOf(parseTraceparent(traceparent))
  return { trace, handled: { id, correlationId: correlationid ?? trace.traceId } }
}

/**
 * Runs a handler on one message within its deadline. Never throws. A handler that ignores its
 * signal is no longer waited for; should it commit later, the inbox makes the next try a no-op.
 */
export async function attemptDelivery(options: Attempt): Promise<Outcome> {
  const { handler, message, attempt, deadlineMs, stopping } = options
  const deadline = new AbortController()
  const timer = setTimeout(
    () =>
      deadline.abort(
        new AppError('timeout', 'DELIVERY_TIMEOUT', 'The handler took longer than it may.'),
      ),
    deadlineMs,
  )
  const signal = AbortSignal.any([deadline.signal, stopping])
  const context = toContext(message)
  let giveUp: () => void = () => undefined
  try {
    const aborted = new Promise<never>((_resolve, reject) => {
      giveUp = () => reject(signal.reason)
      if (signal.aborted) giveUp()
      else signal.addEventListener('abort', giveUp, { once: true })
    })
    const handling = runWithContext(context, () => handler({ message, attempt, signal }))
    await Promise.race([handling, aborted])
    return 'done'
  } catch (error) {
    const failure = toFailure(error, attempt)
    // The process is leaving: the message is not at fault, another replica takes it.
    return { verdict: stopping.aborted ? 'outage' : judge(error), failure }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', giveUp)
  }
}

/** Keeps the last failures only: an outage may add one every few seconds for a day. */
export function appendFailure(history: readonly Failure[], failure: Failure): Failure[] {
  return [...history, failure].slice(-20)
}

/** Whether the failure is the last one that the message is allowed. */
export function isFinal(
  outcome: Exclude<Outcome, 'done'>,
  { attempts, failingForMs }: { attempts: number; failingForMs: number },
  limits: Limits,
): boolean {
  if (outcome.verdict === 'dead-letter') return true
  if (outcome.verdict === 'outage') return failingForMs >= limits.outageMs
  return attempts >= limits.maxAttempts
}

// A replay is under somebody's eyes: a fault that lasts longer than some seconds is reported.
const replayTries = 5
const replayBackoff: Backoff = { baseMs: 100, maxMs: 2_000 }

/**
 * What every adapter does with a message of a replay: hands it over, again after a while when that
 * fails. The returned function throws `REPLAY_FAILED` when it goes on failing, or the signal's reason.
 */
export function createReplayer(
  { handler, signal, deadlineMs = 10_000 }: TopicReplay,
  givingUp: AbortSignal,
): (message: Message) => Promise<void> {
  const stopping = signal ? AbortSignal.any([signal, givingUp]) : givingUp
  return async (message) => {
    for (let attempt = 1; ; attempt += 1) {
      stopping.throwIfAborted()
      const outcome = await attemptDelivery({ handler, message, attempt, deadlineMs, stopping })
      if (outcome === 'done') return
      stopping.throwIfAborted()
      if (attempt === replayTries || outcome.verdict === 'dead-letter') {
        const { code, reason } = outcome.failure
        const text = `The message ${message.id} could not be applied (${code}): ${reason}`
        throw new AppError('unavailable', 'REPLAY_FAILED', text)
      }
      await pause(jitteredDelayMs(replayBackoff, attempt), undefined, { signal: stopping })
    }
  }
}
