import type { Channel } from 'rabbitmq-client'
import { appendFailure, isFinal, type Limits, type Outcome, toFailure } from '../../delivery.ts'
import { AppError } from '../../errors.ts'
import { uuidv7 } from '../../ids.ts'
import { jitteredDelayMs } from '../../loop.ts'
import type { DeadLetter } from '../../messaging.ts'
import type { Incoming, Tries } from './message.ts'

/** How a message leaves this process: done, given up, or back to the end of its queue. */
export type Ending = { how: 'done' } | { how: 'buried'; letter: DeadLetter } | { how: 'moved' }

/** A message in the hands of this process. */
export type Held = {
  readonly message: Incoming['message']
  readonly isOurs: boolean
  tries: Tries
  /** How often the broker delivered it before, by its own count. */
  deliveries: number
  /** Of those, the ones that ended with a connection and not with a process. */
  forgiven: number
  /** What it can be acknowledged by; absent after its channel was lost. */
  receipt: { channel: Channel; deliveryTag: number; sinceMs: number } | undefined
  isRunning: boolean
  /** Decided, but perhaps not yet known to the broker. */
  ending: Ending | undefined
  timer: NodeJS.Timeout | undefined
}

export function toHeld({ message, isOurs, tries, deliveries }: Incoming): Held {
  return {
    message,
    isOurs,
    tries,
    deliveries,
    forgiven: 0,
    receipt: undefined,
    isRunning: false,
    ending: undefined,
    timer: undefined,
  }
}

/** How many processes ended while they had it in hand. */
export function crashesOf({ deliveries, forgiven }: Held): number {
  return deliveries - forgiven
}

/** What is known of its tries, for whoever has it next. */
export function triesOf(held: Held): Tries {
  return { ...held.tries, count: held.tries.count + crashesOf(held) }
}

/** Why a message is given up without asking its handler; undefined when it may be tried. */
export function whyRefused(held: Held, { maxAttempts }: Limits): Outcome | undefined {
  const { count } = triesOf(held)
  const refuse = (code: string, text: string): Outcome => ({
    verdict: 'dead-letter',
    failure: toFailure(new AppError('invalid', code, text), count),
  })
  if (!held.isOurs) return refuse('INVALID_MESSAGE', 'The body is no message of the platform.')
  if (count < maxAttempts) return undefined
  return refuse('DELIVERY_LIMIT', 'The process ended each time while it had the message in hand.')
}

/**
 * Records how a try ended: with an ending, or with the time of the next try.
 * @param owner whose letter it would be.
 */
export function recordOutcome(
  held: Held,
  outcome: Outcome,
  { limits, queue, service }: { limits: Limits; queue: string; service: string },
): void {
  if (outcome === 'done') {
    held.ending = { how: 'done' }
    return
  }
  const { verdict, failure } = outcome
  const { code, reason, at, attempt } = failure
  const nowMs = Date.now()
  const { failingSince = nowMs } = held.tries
  const history = appendFailure(held.tries.history, failure)
  if (isFinal(outcome, { attempts: attempt, failingForMs: nowMs - failingSince }, limits)) {
    const address = { kind: 'queue' as const, name: queue }
    const subject = { id: uuidv7(), address, service, message: held.message }
    const letter = { ...subject, attempts: attempt, code, reason, failedAt: at, history }
    held.ending = { how: 'buried', letter }
    return
  }
  const count = verdict === 'outage' ? held.tries.count : held.tries.count + 1
  const retryAt = nowMs + jitteredDelayMs(limits.backoff, history.length)
  held.tries = { count, history, failingSince, retryAt }
}
