import type { Faults, Strike, WebhookFault } from '../faults/registry.ts'
import type { Attempt, Store } from '../store.ts'
import { attemptCopies, attemptDelivery, isAccepted } from './attempt.ts'
import {
  findEvent,
  markDelivered,
  markFailed,
  postponeEvent,
  recordAttempt,
  type WaitingEvent,
} from './record.ts'
import { createWebhookSender } from './sender.ts'

export type WebhookOptions = {
  store: Store
  clock: () => number
  url: () => string | null
  /** They sign every body. */
  secrets: () => readonly string[]
  /** The pause before each retry; the list's end is the end of the tries. */
  retryScheduleMs: readonly number[]
  timeoutMs: number
  concurrency: number
  faults: Pick<Faults, 'takeWebhook'>
  onGivenUp: (eventId: string, attempt: Attempt) => void
}

export type Webhooks = ReturnType<typeof createWebhooks>

/** Sends waiting events, in the order of their creation, until each is accepted or given up. */
export function createWebhooks(options: WebhookOptions) {
  const { store, clock } = options
  const sender = createWebhookSender(options)
  const inFlight = new Map<string, Promise<void>>()
  /** Events whose next delivery is one that a fault has arranged, and is left alone. */
  const arranged = new Set<string>()
  let timer: NodeJS.Timeout | null = null
  let isWoken = false
  let isStopped = false

  /** Looks for due events after the writes of this turn are committed. */
  function wake(): void {
    if (isWoken || isStopped) return
    isWoken = true
    setImmediate(() => {
      isWoken = false
      sendDue()
    })
  }

  function sendDue(): void {
    const url = options.url()
    if (isStopped || url === null) return
    const free = options.concurrency - inFlight.size
    if (free <= 0) return
    // One moment for both questions: what comes due between two readings would be left to nobody.
    const now = clock()
    // The events under way are still due, so they are asked for too and left out here.
    const due = store.all<{ id: string }>(
      'SELECT id FROM events WHERE next_at <= ? ORDER BY next_at, seq LIMIT ?',
      now,
      free + inFlight.size,
    )
    for (const { id } of due) {
      if (inFlight.size >= options.concurrency) return
      if (!inFlight.has(id))
        inFlight.set(
          id,
          deliver(id, url).finally(() => settled(id)),
        )
    }
    sleepUntilNext(now)
  }

  function settled(id: string): void {
    inFlight.delete(id)
    wake()
  }

  function sleepUntilNext(now: number): void {
    const next = store.get<{ at: number | null }>(
      'SELECT min(next_at) AS at FROM events WHERE next_at > ?',
      now,
    )?.at
    if (timer !== null) clearTimeout(timer)
    timer = null
    // A timer holds 31 bits of milliseconds; waking a minute from now at the latest costs nothing.
    if (typeof next === 'number')
      timer = setTimeout(wake, Math.min(Math.max(1, next - clock()), 60_000))
  }

  async function deliver(id: string, url: string): Promise<void> {
    const event = findEvent(store, id)
    if (event === undefined) return
    const strike = arranged.delete(id) ? null : options.faults.takeWebhook(event.type)
    if (strike?.fault.kind === 'delay' || strike?.fault.kind === 'reorder') {
      return postpone(event, strike)
    }
    const fault = strike?.fault ?? null
    const { deciding, others } =
      fault?.kind === 'duplicate' && fault.delayMs === 0
        ? await attemptCopies(sender, { event, url }, fault.copies)
        : await attemptDelivery(sender, { event, url, at: clock() }, fault)
    if (isStopped && deciding.error !== null) return
    for (const attempt of [...others, deciding]) recordAttempt(store, id, attempt)
    settle(event, deciding, fault)
  }

  /** A delay is the same for each event; a different one for each changes their order. */
  function postpone({ id }: WaitingEvent, { fault, random }: Strike<WebhookFault>): void {
    const delayMs = fault.kind === 'reorder' ? Math.floor(random() * fault.delayMs) : fault.delayMs
    arranged.add(id)
    postponeEvent(store, id, clock() + delayMs)
  }

  function settle(event: WaitingEvent, attempt: Attempt, fault: WebhookFault | null): void {
    const { id, failures } = event
    if (isAccepted(attempt)) {
      if (fault?.kind === 'duplicate' && fault.delayMs > 0) {
        arranged.add(id)
        postponeEvent(store, id, clock() + fault.delayMs)
      } else {
        markDelivered(store, id)
      }
      return
    }
    const pauseMs = fault?.kind === 'lose' ? undefined : options.retryScheduleMs[failures]
    if (pauseMs === undefined) options.onGivenUp(id, attempt)
    markFailed(store, id, pauseMs === undefined ? null : clock() + pauseMs)
  }

  /** Sends an event once more, whatever became of it before; null when there is none. */
  async function resend(id: string): Promise<Attempt | null> {
    const url = options.url()
    const event = findEvent(store, id)
    if (event === undefined || url === null) return null
    const attempt = await sender.post(event, url)
    recordAttempt(store, id, attempt)
    if (isAccepted(attempt)) markDelivered(store, id)
    await store.committed()
    return attempt
  }

  /** Starts nothing new and waits, up to the limit, for what is under way. */
  async function stop(limitMs: number): Promise<void> {
    isStopped = true
    if (timer !== null) clearTimeout(timer)
    let limit: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      limit = setTimeout(resolve, limitMs)
    })
    await Promise.race([Promise.allSettled(inFlight.values()), patience])
    clearTimeout(limit)
    sender.close()
    // What the closed connections cut off ends at once; its events stay waiting.
    await Promise.allSettled(inFlight.values())
  }

  return { wake, resend, stop, inFlight: () => inFlight.size }
}
