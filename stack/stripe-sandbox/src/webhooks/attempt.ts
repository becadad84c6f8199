import type { WebhookFault } from '../faults/registry.ts'
import type { Attempt, StoredEvent } from '../store.ts'
import type { createWebhookSender, Forgery } from './sender.ts'

/** The attempt that decides what becomes of the event, and the copies sent beside it. */
export type Attempted = { deciding: Attempt; others: Attempt[] }

/** Sends an event as the fault that strikes it has it; without one, as it should be. */
export async function attemptDelivery(
  sender: Pick<ReturnType<typeof createWebhookSender>, 'post'>,
  { event, url, at }: { event: StoredEvent; url: string; at: number },
  fault: WebhookFault | null,
): Promise<Attempted> {
  if (fault?.kind === 'drop' || fault?.kind === 'lose') {
    const error = `fault: ${fault.kind}`
    const unsent = { at, status: null, error, responseBody: '', durationMs: 0 }
    return { deciding: unsent, others: [] }
  }
  const deciding = await sender.post(event, url, forgeryOf(fault))
  if (fault?.kind === 'lose_answer') {
    return { deciding: { ...deciding, status: null, error: 'fault: lose_answer' }, others: [] }
  }
  return { deciding, others: [] }
}

/** Sends an event several times at once; it is accepted when one of them is. */
export async function attemptCopies(
  sender: Pick<ReturnType<typeof createWebhookSender>, 'post'>,
  { event, url }: { event: StoredEvent; url: string },
  copies: number,
): Promise<Attempted> {
  const [first, ...more] = await Promise.all([
    sender.post(event, url),
    ...Array.from({ length: copies }, () => sender.post(event, url)),
  ])
  const accepted = more.find(isAccepted)
  if (isAccepted(first) || accepted === undefined) return { deciding: first, others: more }
  return { deciding: accepted, others: [first, ...more.filter((each) => each !== accepted)] }
}

function forgeryOf(fault: WebhookFault | null): Forgery {
  if (fault?.kind === 'wrong_signature') return { secrets: ['whsec_of_somebody_else'] }
  if (fault?.kind === 'stale_timestamp') return { ageMs: fault.delayMs }
  return {}
}

export function isAccepted({ status }: Attempt): boolean {
  return status !== null && status >= 200 && status < 300
}
