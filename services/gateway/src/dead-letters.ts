import { setTimeout as pause } from 'node:timers/promises'
import type {
  BulkReplay,
  BulkReplayResult,
  DeadLetterDetail,
  DeadLetter as DeadLetterView,
} from '@halles/contracts/gen/http/gateway'
import { AppError } from '@halles/kit/errors'
import type {
  DeadLetter,
  DeadLetterFilter,
  DeadLetterSummary,
  DeadLetters,
} from '@halles/kit/messaging'

/** A dead letter as operators list it: without its body, which may be personal. */
export function toDeadLetter(letter: DeadLetterSummary): DeadLetterView {
  const { id, address, group = null, service, message, code, reason, attempts } = letter
  // A poison message may lack what every message has.
  const { type = '', subject = null } = message as Partial<typeof message>
  return {
    ...{ id, address, group, service, type, subject, code, reason, attempts },
    deadAt: letter.failedAt,
  }
}

/** A dead letter with all that is known of it. */
export function toDeadLetterDetail(letter: DeadLetter): DeadLetterDetail {
  const { id, address, group = null, service, message, code, reason, attempts, history } = letter
  return {
    ...{ id, address, group, service, code, reason, attempts },
    message: { ...message },
    deadAt: letter.failedAt,
    history: [...history],
  }
}

/** What identifies a dead letter in the audit log, bounded whatever the message says of itself. */
export function toAuditDetails({ message, service, code }: DeadLetterSummary) {
  const { id, type } = message as Partial<typeof message>
  return { messageId: bounded(id), type: bounded(type), service: bounded(service), code }
}

const bounded = (text: string | undefined) => text?.slice(0, 100) ?? null

/** The contract's moments are text, the port's are dates; what is not said is left out. */
export function toFilter(
  asked: Pick<BulkReplay, 'service' | 'type' | 'failedBefore' | 'failedAfter'>,
): Omit<DeadLetterFilter, 'limit'> {
  const { service, type, failedBefore, failedAfter } = asked
  return {
    ...(service !== undefined && { service }),
    ...(type !== undefined && { type }),
    ...(failedBefore !== undefined && { failedBefore: new Date(failedBefore) }),
    ...(failedAfter !== undefined && { failedAfter: new Date(failedAfter) }),
  }
}

/**
 * Replays the newest letters that match, the oldest of them first, at a steady rate until the signal
 * aborts or the broker is away. `permit` is asked once, with the letters, before the first.
 */
export async function replayMatching(
  deadLetters: DeadLetters,
  order: { filter: DeadLetterFilter; ratePerSecond: number; signal: AbortSignal },
  permit: (letters: readonly DeadLetterSummary[]) => Promise<void>,
): Promise<BulkReplayResult> {
  const { filter, ratePerSecond, signal } = order
  const { items, nextCursor } = await deadLetters.list(filter)
  if (items.length > 0) await permit(items)
  const failed: BulkReplayResult['failed'] = []
  const startedAtMs = performance.now()
  let tried = 0
  for (const { id } of items.toReversed()) {
    const dueInMs = startedAtMs + (tried * 1_000) / ratePerSecond - performance.now()
    if (!(await isStillWanted(dueInMs, signal))) break
    tried += 1
    try {
      await deadLetters.replay(id)
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      failed.push({ id, code: error.code })
      // Each of the others would only wait for the same broker.
      if (error.kind === 'unavailable') break
    }
  }
  const hasMore = nextCursor !== undefined || tried < items.length
  return { replayed: tried - failed.length, failed, hasMore }
}

/** Waits; false when the signal aborts before. */
async function isStillWanted(waitMs: number, signal: AbortSignal): Promise<boolean> {
  if (waitMs > 0 && !signal.aborted) {
    await pause(waitMs, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }
  return !signal.aborted
}
